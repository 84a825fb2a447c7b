"""`fargate-workers database ...`."""

import sys
from typing import Annotated

import typer

from fargate_workers_toolkit.database import Authentication, schema

database = typer.Typer(no_args_is_help=True)

User = Annotated[str, typer.Option(help="The role that workers log in as, DATABASE_USER.")]
How = Annotated[Authentication, typer.Option(help="How they log in. iam: the role may use RDS's tokens.")]


@database.callback()
def database_group() -> None:
    """Prepare a PostgreSQL database for workers that claim keys in it."""


@database.command("schema")
def database_schema(*, user: User = "worker", authentication: How = "iam") -> None:
    """Print the SQL that makes the tables of claims and outbox, the workers' role and its rights.

    Run it as the owner of the database: fargate-workers database schema | psql "$DATABASE". It connects to nothing.
    """
    sys.stdout.write(schema(user=user, authentication=authentication))
