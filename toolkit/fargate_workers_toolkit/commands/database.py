"""`fargate-workers database ...`."""

import sys
from importlib.resources import files
from typing import Annotated, Literal

import typer

database = typer.Typer(no_args_is_help=True)

Authentication = Literal["iam", "password"]

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


def schema(*, user: str = "worker", authentication: Authentication = "iam") -> str:
    """The SQL that makes tables, role and rights; to run it again is harmless.

    Args:
        user: The role that workers log in as. Defaults to `worker`.
        authentication: How they log in. Defaults to `iam`.
    """
    tables = files("fargate_workers_toolkit.commands").joinpath("schema.sql").read_text(encoding="utf-8")
    role = '"' + user.replace('"', '""') + '"'
    literal = "'" + user.replace("'", "''") + "'"
    rights = [
        f"""
-- The workers' role: it owns nothing, and may do no more than it needs.
DO $block$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal}) THEN
        CREATE ROLE {role} LOGIN;
    END IF;
END $block$;
GRANT SELECT, INSERT, DELETE ON message_claims TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON message_outbox TO {role};
"""
    ]
    if authentication == "iam":
        rights.append(f"GRANT rds_iam TO {role};\n")
    return tables + "".join(rights)
