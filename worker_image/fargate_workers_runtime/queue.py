"""What the worker needs of a queue. `sqs_queue.SqsQueue` is the real one, `testing.MemoryQueue` the one for tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

#: The most entries that one request carries.
BATCH = 10

#: The longest that SQS hides a message, from its first receive on.
LONGEST_VISIBILITY = 12 * 3600


@dataclass(frozen=True, kw_only=True)
class Received:
    """One delivery of one message, as the queue gave it.

    `attributes` are SQS's own structures, so that a dead letter keeps them.
    """

    id: str
    text: str = field(repr=False)
    receipt: str = field(repr=False)
    receive_count: int = 1
    group_id: str | None = None
    sent_at: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message on its way to the dead-letter queue, and why."""

    received: Received
    reason: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The entry `index` of a batch failed; `permanent` if trying again cannot help (SQS: the sender's fault)."""

    index: int
    permanent: bool
    code: str = ""


class Queue(Protocol):
    """A queue of leased messages.

    Sequences hold at most `BATCH` entries, and each call is one request, or two after a partial failure.
    """

    @property
    def fifo(self) -> bool:
        """Messages of one group are delivered in order."""
        ...

    @property
    def has_dead_letter_queue(self) -> bool:
        """`bury` works."""
        ...

    def receive(self, limit: int, *, wait: int, visibility: int) -> list[Received]:
        """Take up to `limit` messages and hide them for `visibility` seconds.

        Wait up to `wait` seconds for the first.
        """
        ...

    def delete(self, receipts: Sequence[str]) -> list[Failure]:
        """End messages for good."""
        ...

    def set_visibility(self, changes: Sequence[tuple[str, int]]) -> list[Failure]:
        """Hide each receipt's message for so many seconds from now; 0 hands it back."""
        ...

    def bury(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        """Send copies to the dead-letter queue; the originals stay."""
        ...
