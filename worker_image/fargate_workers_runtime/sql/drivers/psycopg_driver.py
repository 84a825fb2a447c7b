"""Connections of psycopg 3."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, DiagnosticField, Escaping, ExecStatus, PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row

from fargate_workers_runtime.sql.drivers.driver import AsyncDriver, Driver, Row
from fargate_workers_runtime.sql.drivers.statement import Statement


class PsycopgDriver(Driver):
    """A `psycopg.Connection`."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection
        self._began = False

    def give_up(self) -> None:
        # psycopg's own rollback makes the session forget all its prepared statements.
        if self._began:
            self._connection.pgconn.exec_(b"ROLLBACK")

    def in_transaction(self) -> bool:
        return _in_transaction(self._connection)

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        if not _begins_plainly(self._connection):
            return int(self.fetch(statement, values) is not None)
        # In one request with BEGIN: a claim then costs no round trip of its own.
        with self._connection.lock:
            self._began = True
            return _begin_with(self._connection, statement, values)

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Row:
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(statement.psycopg, values, prepare=True)
            return cursor.fetchone()

    def discard(self) -> None:
        self._connection.pgconn.finish()


class PsycopgAsyncDriver(AsyncDriver):
    """A `psycopg.AsyncConnection`."""

    def __init__(self, connection: "psycopg.AsyncConnection[Any]") -> None:
        self._connection = connection

    def in_transaction(self) -> bool:
        return _in_transaction(self._connection)

    async def run_async(self, statement: Statement, values: Mapping[str, Any]) -> int:
        return int(await self.fetch_async(statement, values) is not None)

    async def fetch_async(self, statement: Statement, values: Mapping[str, Any]) -> Row:
        async with self._connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(statement.psycopg, values, prepare=True)
            return await cursor.fetchone()

    def discard(self) -> None:
        self._connection.pgconn.finish()


#: invalid_sql_statement_name
_NOT_PREPARED = b"26000"


def _begins_plainly(connection: "psycopg.Connection[Any]") -> bool:
    """Whether the next statement begins a transaction, with BEGIN and nothing else, and is sent by itself."""
    server = connection.pgconn
    return (
        server.transaction_status == TransactionStatus.IDLE
        and not connection.autocommit
        and server.pipeline_status == PipelineStatus.OFF
        and connection.prepare_threshold is not None  # None: behind a pooler, where sessions change
        and connection.isolation_level is connection.read_only is connection.deferrable is None
    )


def _begin_with(connection: "psycopg.Connection[Any]", statement: Statement, values: Mapping[str, Any]) -> int:
    """Begin a transaction with a statement that the session has prepared; it is prepared where it is missing."""
    server = connection.pgconn
    literals = b",".join([_literal(connection, value) for value in statement.positional(values)])
    request = b"BEGIN;EXECUTE %b(%b)" % (statement.name.encode(), literals)
    result = server.exec_(request)
    if result.status == ExecStatus.TUPLES_OK:
        return result.command_tuples or 0
    # Without a record of what is prepared: psycopg deallocates everything at each rollback.
    if result.error_field(DiagnosticField.SQLSTATE) == _NOT_PREPARED:
        server.exec_(b"ROLLBACK")
        server.exec_(b"PREPARE %b AS %b" % (statement.name.encode(), statement.asyncpg.encode()))
        result = server.exec_(request)
    if server.status != ConnStatus.OK:
        raise psycopg.OperationalError(server.get_error_message())
    if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        raise error_from_result(result, connection.info.encoding)
    return result.command_tuples or 0


def _literal(connection: "psycopg.Connection[Any]", value: object) -> bytes:
    if not isinstance(value, str):
        return repr(value).encode()
    text = value.encode() if value.isascii() else value.encode(connection.info.encoding)
    return Escaping(connection.pgconn).escape_literal(text)


def _in_transaction(connection: "psycopg.BaseConnection[Any]") -> bool:
    # `connection.transaction()` begins one in autocommit, too; in a pipeline, it has not reached the server yet.
    return not connection.autocommit or connection.info.transaction_status in (
        TransactionStatus.INTRANS,
        TransactionStatus.ACTIVE,
    )
