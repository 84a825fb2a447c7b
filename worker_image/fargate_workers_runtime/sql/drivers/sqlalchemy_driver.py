"""Connections and sessions of SQLAlchemy 2, whichever driver is below."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy.orm import Session

from fargate_workers_runtime.sql.drivers.driver import Driver, Row
from fargate_workers_runtime.sql.drivers.statement import Statement


class SqlAlchemyDriver(Driver):
    """A `Connection`, or the connection of a `Session`."""

    def __init__(self, source: sqlalchemy.Connection | Session) -> None:
        self._source = source

    def in_transaction(self) -> bool:
        # SQLAlchemy begins a transaction by itself, and calls one of autocommit a transaction, too.
        return not getattr(self._connection.connection.dbapi_connection, "autocommit", False)

    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        return self._connection.execute(_text(statement.sqlalchemy), dict(values)).rowcount

    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Row:
        row = self._source.execute(_text(statement.sqlalchemy), dict(values)).first()
        return None if row is None else tuple(row)

    def discard(self) -> None:
        self._connection.invalidate()

    @property
    def _connection(self) -> sqlalchemy.Connection:
        return self._source.connection() if isinstance(self._source, Session) else self._source


@lru_cache
def _text(sql: str) -> sqlalchemy.TextClause:
    return sqlalchemy.text(sql)
