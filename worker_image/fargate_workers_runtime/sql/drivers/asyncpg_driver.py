"""Connections of asyncpg, and those of its pool."""

from collections.abc import Mapping
from typing import Any

from fargate_workers_runtime.sql.drivers.driver import AsyncDriver, Row
from fargate_workers_runtime.sql.drivers.statement import Statement


class AsyncpgDriver(AsyncDriver):
    """An `asyncpg.Connection`, which asyncpg keeps the prepared statements of by itself."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def in_transaction(self) -> bool:
        return bool(self._connection.is_in_transaction())

    async def run_async(self, statement: Statement, values: Mapping[str, Any]) -> int:
        # The answer is the command's tag, such as "INSERT 0 1".
        tag: str = await self._connection.execute(statement.asyncpg, *statement.positional(values))
        return int(tag.rsplit(" ", 1)[-1])

    async def fetch_async(self, statement: Statement, values: Mapping[str, Any]) -> Row:
        row = await self._connection.fetchrow(statement.asyncpg, *statement.positional(values))
        return None if row is None else tuple(row)

    def discard(self) -> None:
        self._connection.terminate()
