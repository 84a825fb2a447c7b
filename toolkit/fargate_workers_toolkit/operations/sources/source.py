"""What operations need of a source of work: SQS is one; a topic, a stream or a list is another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fargate_workers_toolkit.operations.errors import OperationsError


class UnreachableError(OperationsError):
    """A broker cannot be asked from here: it answers in its own network alone, or not to this person."""

    @classmethod
    def of(cls, address: str, error: object) -> "UnreachableError":
        """The error of a broker that does not answer.

        Args:
            address: Where it should have answered.
            error: What the client raised.
        """
        said = " ".join(str(error).split()).rstrip(".")
        return cls(
            f"{address} does not answer from here ({said}); run the command on a machine in its network, or forward a "
            "port and give --endpoint HOST:PORT."
        )


def missing_package(package: str, *, extra: str) -> OperationsError:
    """The error of a client that is not installed.

    Args:
        package: The client's package.
        extra: The extra that brings it.
    """
    return OperationsError(
        f"This source is reached by the package {package}, which is not installed: run pip install "
        f'"fargate-workers[{extra}]".'
    )


@dataclass(frozen=True, kw_only=True)
class Depth:
    """What a source holds, by its own count.

    Args:
        waiting: Messages that wait.
        in_flight: Messages that are delivered and not acknowledged.
        oldest: Seconds for which the oldest has waited. Defaults to None: the source does not know.
    """

    waiting: int
    in_flight: int
    oldest: float | None = None

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
        ordered: Whether the letters of a group return in their order, and are read one request after the other.
        unseen: Why some letters may not be seen, in words.
    """

    name: str
    origin: str
    ordered: bool

    @property
    def unseen(self) -> str:
        """Why some letters may not be seen."""
        ...

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

    def send_back(self, letter: DeadLetter, *, marks: Mapping[str, str]) -> str | None:
        """Send a letter to the source it came from, with its attributes, without those of its death.

        Args:
            letter: The letter. It stays where it is, unless the source can do both in one step.
            marks: Attributes that are added, as far as there is room for them.

        Returns:
            The id of the message that was sent. None: nothing was, because somebody else has taken the letter.
        """
        ...

    def delete(self, letter: DeadLetter) -> None:
        """Let a leased letter count as done: it is not seen again.

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

    def metrics(self, *, observed: str) -> Mapping[str, Mapping[str, Any]]:
        """CloudWatch's metrics of the source, by what they are; those that it lacks are left out.

        `oldest`, `arrived` and `done`; and where the source itself may be out of reach, `waiting`, `in_flight` and
        `dead_letters`.

        Args:
            observed: The name that the source goes by in the observer's metrics. Empty: nobody observes it.
        """
        ...
