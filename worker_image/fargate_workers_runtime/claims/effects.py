"""Claims that a handler commits itself, in the transaction of its effect: there is no lease, and nothing to record."""

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

from fargate_workers_runtime.errors import Refusal


@dataclass(kw_only=True)
class EffectAttempt:
    """One attempt of one message at its effect.

    Attributes:
        key: The idempotency key.
        payload: The fingerprint of the message's payload.
        entered: A block has begun.
        ended: A block has ended without an exception.
        refused: Why the last block did not begin. Default: it did.
    """

    key: str
    payload: str
    entered: bool = False
    ended: bool = False
    refused: Refusal | None = None


class Block(Protocol):
    """A block that begins with the claim of a key, for `with` or `async with`."""

    def __enter__(self) -> None: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    async def __aenter__(self) -> None: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Effects(Protocol):
    """A database in which keys are claimed together with their effects."""

    def effect_in(self, connection: Any, attempt: EffectAttempt) -> Block:
        """A block in the transaction of `connection`; it raises EffectRefused where it does not begin.

        Args:
            connection: The handler's connection.
            attempt: The attempt; the block notes in it how far it came.
        """
        ...

    def is_conflict(self, error: BaseException) -> bool:
        """Whether the database has ended a transaction for the sake of another: the same again may well succeed.

        Args:
            error: What the handler raised.
        """
        ...

    def is_outage(self, error: BaseException) -> bool:
        """Whether a handler failed because the database is not there.

        Args:
            error: What the handler raised.
        """
        ...

    def check(self) -> None:
        """A look at the database; it raises if it would take no claims."""
        ...
