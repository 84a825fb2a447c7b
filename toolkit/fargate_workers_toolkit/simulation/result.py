"""The numbers that a team needs before it deploys."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

from fargate_workers_toolkit.simulation.invocations import Billed
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.track import Event, Minutes, Track


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Prices of Fargate and Lambda; by default those of Linux on x86 and of functions on arm64 in us-east-1.

    https://aws.amazon.com/fargate/pricing/ and https://aws.amazon.com/lambda/pricing/

    Args:
        vcpu_hour: Dollars for a vCPU and an hour. Defaults to 0.04048.
        gibibyte_hour: Dollars for a GiB of memory and an hour. Defaults to 0.004445.
        invocation: Dollars for an invocation of a function. Defaults to 0.0000002.
        gibibyte_second: Dollars for a GiB of a function's memory and a second. Defaults to 0.0000133334.
    """

    vcpu_hour: float = 0.04048
    gibibyte_hour: float = 0.004445
    invocation: float = 0.0000002
    gibibyte_second: float = 0.0000133334


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one simulated load. Ages are seconds from sending a message to the end of its work.

    Args:
        service: The name of the service.
        load: The name of the load.
        engine: The engine.
        slo: The age that messages should not exceed.
        seconds: The length of the load.
        sent: Messages sent.
        done: Messages whose work is done.
        missed: Messages that were older than the SLO, those left in the queue that are older already, and the lost
            ones.
        missed_percent: Percent missed of those done, those left too old and those lost.
        lost: Messages that expired or became dead letters, but for poison, which no attempt could have saved.
        p50: The age that half of the messages do not exceed.
        p99: The age that 99 of 100 messages do not exceed.
        oldest: The age of the oldest message, done or left.
        expired: Messages that expired.
        dead_lettered: Messages that became dead letters.
        killed: Messages whose task was killed in the middle of their work.
        left: Messages left at the end.
        residual: Messages that the simulation lost: 0.
        task_hours: Hours of running tasks, or of a function's invocations.
        cost: Dollars.
        reversals: How often the number of wanted tasks changed its direction.
        moves: The sum of all changes of wanted tasks.
        peak: The most tasks wanted.
        seconds_at_maximum: For how many seconds the most that may be were wanted.
        minutes: The state of each minute.
        events: The events of scaling.
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
    lost: float
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
        cls,
        track: Track,
        *,
        service: ScaledService,
        load: str,
        engine: str,
        slo: float,
        prices: Prices,
        billed: Billed | None = None,
    ) -> "Result":
        """The result of an engine's run.

        Args:
            track: The outcome of the run.
            service: The service.
            load: The name of the load.
            engine: The engine.
            slo: The acceptable age of a message at the end of its work, in seconds.
            prices: Of Fargate and Lambda.
            billed: What Lambda bills, where a function drains the queue. Defaults to None: tasks do.
        """
        ages, waiting = track.ages, track.waiting
        late_waiting = waiting.older_than(slo)
        lost = track.expired + track.dead_lettered - track.poisoned
        missed = ages.older_than(slo) + late_waiting + lost
        hours = (track.task_seconds if billed is None else billed.seconds) / 3600
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
            missed_percent=100 * missed / max(ages.messages + late_waiting + lost, 1e-9),
            lost=lost,
            p50=ages.percentile(50),
            p99=ages.percentile(99),
            oldest=max(ages.oldest, waiting.oldest),
            expired=track.expired,
            dead_lettered=track.dead_lettered,
            killed=track.killed,
            left=track.visible + track.in_flight,
            residual=round(track.residual, 3) + 0.0,
            task_hours=hours,
            cost=hours * (task.vcpus * prices.vcpu_hour + task.gibibytes * prices.gibibyte_hour)
            if billed is None
            else billed.invocations * prices.invocation + billed.seconds * task.gibibytes * prices.gibibyte_second,
            reversals=reversals(desired),
            moves=sum(abs(after - before) for before, after in pairwise(desired)),
            peak=max(desired),
            seconds_at_maximum=60 * desired.count(service.bounds.maximum),
            minutes=track.minutes,
            events=track.events,
        )

    def as_json(self, *, summary: bool = False) -> dict[str, Any]:
        """Plain values, for a program. Numbers keep three decimals.

        Those of the minutes are rounded as they are read, since a year has too many of them to have them twice.

        Args:
            summary: Whether the minutes and the events are left out. Defaults to False.
        """
        left_out = {"minutes", "events"} if summary else set[str]()
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in left_out}
        if not summary:
            values["minutes"] = {each.name: Rounded(getattr(self.minutes, each.name)) for each in fields(self.minutes)}
            values["events"] = [event._asdict() for event in self.events]
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}


class Rounded(list[float]):
    """A list that holds another one, and rounds its numbers to three decimals as they are read."""

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__()
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[float]:
        return (round(value, 3) for value in self._values)


def reversals(desired: Sequence[int]) -> int:
    """How often a series changes its direction."""
    directions = [after > before for before, after in pairwise(desired) if after != before]
    return sum(before != after for before, after in pairwise(directions))
