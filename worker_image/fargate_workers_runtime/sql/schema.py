"""The tables that the runtime needs, looked at when a worker starts. The command below prints what makes them."""

import logging
from dataclasses import dataclass
from typing import Any

import psycopg

from fargate_workers_runtime.errors import SettingsError
from fargate_workers_runtime.sql.postgres_settings import PostgresSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table and what a worker may do with it.

    Attributes:
        name: Its name, found by the search path.
        columns: The columns that are read and written.
        privileges: The rights that a worker needs.
    """

    name: str
    columns: tuple[str, ...]
    privileges: tuple[str, ...]


TABLES = (
    Table(
        name="message_claims",
        columns=("scope", "key", "payload", "completed_at", "expires_at"),
        privileges=("SELECT", "INSERT", "DELETE"),
    ),
    Table(
        name="message_outbox",
        columns=(
            *("position", "id", "queue_url", "body", "attributes", "group_id", "deduplication_id"),
            *("created_at", "due_at", "tries", "parked_reason"),
        ),
        privileges=("SELECT", "INSERT", "UPDATE", "DELETE"),
    ),
)

_LOOK = b"""
SELECT found.table IS NOT NULL,
    ARRAY(SELECT wanted FROM unnest(%(columns)s::text[]) AS wanted WHERE NOT EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = found.table AND attname = wanted AND NOT attisdropped)),
    ARRAY(SELECT wanted FROM unnest(%(privileges)s::text[]) AS wanted
        WHERE NOT has_table_privilege(found.table, wanted))
FROM (SELECT to_regclass(%(name)s)::oid AS table) AS found
"""


def check_schema(settings: PostgresSettings) -> None:
    """Look whether a worker can work with the database; a database that does not answer is not looked at.

    Args:
        settings: The address of the database.

    Raises:
        SettingsError: A table, a column or a right is missing, or the endpoint leads to a replica.
    """
    try:
        connection = psycopg.connect(**settings.parameters(writer=False))
    except psycopg.OperationalError as error:
        # It may be restarting. The worker receives nothing until it answers.
        _log.warning("database_unavailable", extra={"fields": {"text": str(error)}})
        return
    with connection:
        if connection.execute("SHOW transaction_read_only").fetchone() == ("on",):
            raise SettingsError(
                f"DATABASE_HOST is {settings.host!r}, which leads to a replica; name the endpoint of the writer."
            )
        for table in TABLES:
            if lacks := _lacks(connection, table):
                raise SettingsError(
                    f"The database {settings.name!r} lacks {lacks}; run what "
                    f"`fargate-workers database schema --user {settings.user}` prints, as the owner of the database."
                )


def _lacks(connection: "psycopg.Connection[Any]", table: Table) -> str | None:
    values = {"name": table.name, "columns": list(table.columns), "privileges": list(table.privileges)}
    row: tuple[bool, list[str], list[str]] | None = connection.execute(_LOOK, values).fetchone()
    if row is None or not row[0]:
        return f"the table {table.name}"
    _, columns, privileges = row
    if columns:
        return f"the column {columns[0]} of {table.name}"
    return f"the right of its user to {privileges[0]} {table.name}" if privileges else None
