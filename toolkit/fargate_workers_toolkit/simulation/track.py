"""What a run of an engine leaves behind, from which results are made."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fargate_workers_toolkit.simulation.events import Event


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
    """One entry a minute, at its end."""

    desired: list[int] = field(default_factory=list[int])
    running: list[int] = field(default_factory=list[int])
    visible: list[float] = field(default_factory=list[float])
    in_flight: list[float] = field(default_factory=list[float])
    oldest_age: list[float] = field(default_factory=list[float])


@dataclass(frozen=True, kw_only=True)
class Track:
    """The outcome of one run.

    done, dead_lettered, expired: Messages by how they ended.
    visible, in_flight: Those that were left at the end.
    killed: Messages whose task was killed in the middle of their work.
    waiting: Ages of those left in the queue.
    """

    seconds: int
    sent: float
    done: float
    dead_lettered: float
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
        """Messages that came from nowhere or went there: 0."""
        return self.sent - self.done - self.dead_lettered - self.expired - self.visible - self.in_flight
