"""What operations need of a source of work: SQS is one; a topic, a stream or a list is another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What a source holds, by its own count.

    Args:
        waiting: Messages that wait.
        in_flight: Messages that are delivered and not acknowledged.
    """

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.in_flight


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """One message that was given up.

    Args:
        id: Its id among the dead letters.
        body: Its body.
        reason: Why it was given up.
        error: The error, in the worker's words.
        group: The group whose order it belongs to. None: none.
        died_at: When it was given up, in seconds since 1970, as far as the source knows.
        receives: How often it was delivered before.
        original_id: Its id before it died. Empty: unknown.
        attributes: The sender's attributes, as text.
        token: By which the source knows it while it is leased.
        native: What the source needs to send it once more.
    """

    id: str
    body: str
    reason: str
    error: str
    group: str | None
    died_at: float
    receives: int
    original_id: str
    attributes: Mapping[str, str]
    token: str = field(repr=False)
    native: Any = field(repr=False)


class DeadLetterStore(Protocol):
    """Where dead letters of one worker lie, and where they came from.

    Attributes:
        name: Its name, for people.
        origin: The name of the source that they return to.
        ordered: Whether the letters of a group return in their order.
    """

    name: str
    origin: str
    ordered: bool

    def depth(self) -> Depth:
        """Letters that can be seen, and letters that somebody is looking at."""
        ...

    def lease(self, *, seconds: int, wait: int) -> list[DeadLetter]:
        """Lease the next letters: nobody else sees them for a while.

        Args:
            seconds: How long.
            wait: Seconds to wait for a letter when there seems to be none.
        """
        ...

    def release(self, tokens: Sequence[str]) -> None:
        """Let letters be seen again.

        Args:
            tokens: The tokens of leased letters.
        """
        ...

    def send_back(self, letter: DeadLetter, *, marks: Mapping[str, str]) -> str:
        """Send a letter to the source it came from, with its attributes, without those of its death.

        Args:
            letter: The letter. It stays where it is.
            marks: Attributes that are added, as far as there is room for them.

        Returns:
            The id of the message that was sent.
        """
        ...

    def delete(self, letter: DeadLetter) -> None:
        """Delete a leased letter.

        Args:
            letter: The letter.
        """
        ...


class Source(Protocol):
    """The source that a worker drains.

    Attributes:
        kind: What it is, in a word.
        name: Its name.
        dead_letters: Where its dead letters lie. None: it keeps none.
    """

    kind: str
    name: str

    @property
    def dead_letters(self) -> DeadLetterStore | None:
        """Where its dead letters lie."""
        ...

    def depth(self) -> Depth:
        """What it holds."""
        ...

    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """CloudWatch's metrics of the source, by `oldest`, `arrived` and `done`; those that it lacks are left out."""
        ...
