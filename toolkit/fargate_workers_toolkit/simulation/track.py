"""The outcome of an engine's run, from which results are made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol


class Event(NamedTuple):
    """One event of a simulation: an alarm's new state, a policy's change, or why a policy could do nothing.

    Args:
        second: When, in seconds since the beginning.
        kind: The kind of event.
        name: The alarm, policy or scheduled action.
        detail: The new state, the change or the reason.
    """

    second: int
    kind: Literal["alarm", "scaled", "blocked", "schedule"]
    name: str
    detail: str


class AgeDistribution(Protocol):
    """Ages of messages at the end of their work, and of those that were too old already when the simulation ended."""

    @property
    def messages(self) -> float: ...
    @property
    def oldest(self) -> float: ...
    def percentile(self, percent: float) -> float: ...
    def older_than(self, age: float) -> float: ...


@dataclass(kw_only=True)
class Minutes:
    """The state of a service, one entry a minute, at its end.

    Args:
        desired: Desired tasks. Defaults to none yet.
        running: Running tasks. Defaults to none yet.
        visible: Messages that wait. Defaults to none yet.
        in_flight: Messages that are received and not deleted. Defaults to none yet.
        oldest_age: Age of the oldest message that waits, in seconds. Defaults to none yet.
        retried_age: Age of the oldest message done in the minute that had come into sight before, in seconds, which
            SQS's
            age may leave out. Defaults to none yet.
    """

    desired: list[int] = field(default_factory=list[int])
    running: list[int] = field(default_factory=list[int])
    visible: list[float] = field(default_factory=list[float])
    in_flight: list[float] = field(default_factory=list[float])
    oldest_age: list[float] = field(default_factory=list[float])
    retried_age: list[float] = field(default_factory=list[float])

    def age(self, minute: int) -> float:
        """The highest age that is known of a minute, in seconds.

        Args:
            minute: The index of the minute.
        """
        return max(self.oldest_age[minute], self.retried_age[minute] if self.retried_age else 0.0)


@dataclass(frozen=True, kw_only=True)
class Track:
    """The outcome of one run.

    Args:
        seconds: The length of the load.
        sent: Messages sent.
        done: Messages whose work is done.
        dead_lettered: Messages that became dead letters.
        poisoned: Dead letters that no attempt could have saved.
        expired: Messages that expired.
        visible: Messages that were left waiting at the end.
        in_flight: Messages that were left in flight at the end.
        killed: Messages whose task was killed in the middle of their work.
        task_seconds: Seconds of running tasks.
        ages: Ages of the messages whose work is done, in seconds.
        waiting: Ages of those left in the queue, in seconds.
        minutes: The state of each minute.
        events: The events of scaling.
    """

    seconds: int
    sent: float
    done: float
    dead_lettered: float
    poisoned: float
    expired: float
    visible: float
    in_flight: float
    killed: float
    task_seconds: float
    ages: AgeDistribution
    waiting: AgeDistribution
    minutes: Minutes
    events: Sequence[Event]

    @property
    def residual(self) -> float:
        """Messages that the simulation lost or made: 0."""
        return self.sent - self.done - self.dead_lettered - self.expired - self.visible - self.in_flight
