"""What a claim or an outbox row needs of a connection, whatever library made it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from fargate_workers_runtime.sql.drivers.statement import Statement

#: The row of an answer, if there is one.
Row = tuple[Any, ...] | None

#: The error of a connection that would commit a claim by itself, and of an asynchronous one in a plain block.
AUTOCOMMIT = (
    "The connection commits each statement by itself; begin a transaction first, so that all is committed or nothing."
)


class Driver(ABC):
    """A connection whose calls return when the server has answered."""

    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a statement would be part of a transaction that somebody commits."""

    def give_up(self) -> None:  # noqa: B027  most leave it to the transaction's owner
        """End a transaction in which there is nothing but a claim that was refused, if that is cheaper here."""

    @abstractmethod
    def run(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run a statement that returns the row it writes, and return how many rows it wrote, at most one.

        Args:
            statement: The statement.
            values: Its values by name.
        """

    @abstractmethod
    def fetch(self, statement: Statement, values: Mapping[str, Any]) -> Row:
        """Run a statement in the connection's transaction and return its first row.

        Args:
            statement: The statement.
            values: Its values by name.
        """

    @abstractmethod
    def discard(self) -> None:
        """Close the connection, so that no pool gives it out again."""


class AsyncDriver(ABC):
    """A connection whose calls are awaited."""

    @abstractmethod
    def in_transaction(self) -> bool:
        """Whether a statement would be part of a transaction that somebody commits."""

    @abstractmethod
    async def run_async(self, statement: Statement, values: Mapping[str, Any]) -> int:
        """Run a statement that returns the row it writes, and return how many rows it wrote, at most one.

        Args:
            statement: The statement.
            values: Its values by name.
        """

    @abstractmethod
    async def fetch_async(self, statement: Statement, values: Mapping[str, Any]) -> Row:
        """Run a statement in the connection's transaction and return its first row.

        Args:
            statement: The statement.
            values: Its values by name.
        """

    @abstractmethod
    def discard(self) -> None:
        """Close the connection, so that no pool gives it out again."""
