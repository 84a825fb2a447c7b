"""What a team wants to know before deploying."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from fargate_workers_toolkit.simulation.events import Event
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.track import Minutes, Track


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Of Fargate, in dollars an hour. Default: Linux on x86 in us-east-1, https://aws.amazon.com/fargate/pricing/"""

    vcpu_hour: float = 0.04048
    gibibyte_hour: float = 0.004445


@dataclass(frozen=True, kw_only=True)
class Result:
    """One simulated load. Ages are seconds from sending a message to the end of its work.

    slo: The age that messages should not exceed.
    missed: Messages that were older, and those left in the queue that are older already.
    missed_percent: Of those done and those left too old.
    reversals: How often the number of wanted tasks changed its direction. moves: The sum of all changes.
    peak: The most tasks wanted. seconds_at_maximum: How long the most that may be were wanted.
    oldest: The age of the oldest message, done or left.
    residual: Messages that the simulation lost: 0.
    """

    service: str
    load: str
    engine: str
    slo: float
    seconds: int
    sent: int
    done: float
    missed: float
    missed_percent: float
    p50: float
    p99: float
    oldest: float
    expired: float
    dead_lettered: float
    killed: float
    left: float
    residual: float
    task_hours: float
    cost: float
    reversals: int
    moves: int
    peak: int
    seconds_at_maximum: int
    minutes: Minutes = field(repr=False)
    events: Sequence[Event] = field(repr=False)

    @classmethod
    def of(
        cls, track: Track, *, service: ScaledService, load: str, engine: str, slo: float, prices: Prices
    ) -> "Result":
        ages, waiting = track.ages, track.waiting
        late_waiting = waiting.older_than(slo)
        missed = ages.older_than(slo) + late_waiting
        hours = track.task_seconds / 3600
        desired = track.minutes.desired
        task = service.task
        return cls(
            service=service.name,
            load=load,
            engine=engine,
            slo=slo,
            seconds=track.seconds,
            sent=round(track.sent),
            done=track.done,
            missed=missed,
            missed_percent=100 * missed / max(ages.messages + late_waiting, 1e-9),
            p50=ages.percentile(50),
            p99=ages.percentile(99),
            oldest=max(ages.oldest, waiting.oldest),
            expired=track.expired,
            dead_lettered=track.dead_lettered,
            killed=track.killed,
            left=track.visible + track.in_flight,
            residual=round(track.residual, 3) + 0.0,
            task_hours=hours,
            cost=hours * (task.vcpus * prices.vcpu_hour + task.gibibytes * prices.gibibyte_hour),
            reversals=reversals(desired),
            moves=sum(abs(after - before) for before, after in pairwise(desired)),
            peak=max(desired),
            seconds_at_maximum=60 * desired.count(service.bounds.maximum),
            minutes=track.minutes,
            events=track.events,
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a program. Numbers keep three decimals."""
        values = asdict(self)
        values["events"] = [event._asdict() for event in self.events]
        return _rounded(values)


def reversals(desired: Sequence[int]) -> int:
    """How often a series changes its direction."""
    directions = [after > before for before, after in pairwise(desired) if after != before]
    return sum(before != after for before, after in pairwise(directions))


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return round(value, 3)
        case dict():
            return {name: _rounded(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
        case list() | tuple():
            return [_rounded(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value
