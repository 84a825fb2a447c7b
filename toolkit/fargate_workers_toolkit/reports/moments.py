"""The moments that mattered: what happened to the scaling, condensed to what a person reads."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from fargate_workers_toolkit.simulation import Event, Result, seconds_text

# Changes in the same direction that follow each other within so many seconds are one.
TOGETHER = 900

REASONS = {
    "cooldown": "waits for a cooldown",
    "minimum": "is at the fewest tasks allowed",
    "maximum": "is at the most tasks allowed",
    "deployment": "does not scale in while a deployment runs",
}


class Moment(NamedTuple):
    """Something that happened, from a second to another.

    Args:
        begin: Its first second.
        end: Its last second.
        what: The event in words.
        weight: How much it matters.
    """

    begin: int
    end: int
    what: str
    weight: float

    @property
    def when(self) -> str:
        begin, end = clock(self.begin), clock(self.end)
        return begin if begin == end else f"{begin} to {end}"


class Moments(NamedTuple):
    """The moments that mattered most, in their order.

    Args:
        shown: Those moments.
        more: How many more there were.
        until: The end of the last of those, in seconds.
    """

    shown: list[Moment]
    more: int
    until: int

    @property
    def rest(self) -> str:
        """The sentence on those left out; empty where none are."""
        return f"and {self.more:,} more that mattered less, the last at {clock(self.until)}" if self.more else ""


def moments_that_mattered(result: Result, *, most: int = 12) -> Moments:
    """The moments that mattered most: messages that were too old, what blocked policies, and the largest changes."""
    everything = [*_too_old(result), *_blocked(result.events), *_scaled(result.events), *_schedule(result.events)]
    ranked = sorted(everything, key=lambda moment: -moment.weight)
    rest = ranked[most:]
    return Moments(sorted(ranked[:most]), len(rest), max((moment.end for moment in rest), default=0))


def clock(second: int) -> str:
    """Hours and minutes since the beginning, until 24:00; days before them from the second on."""
    if second == 86_400:
        return "24:00"
    days, minutes = divmod(second // 60, 1440)
    return (f"day {days + 1} " if days else "") + f"{minutes // 60:02d}:{minutes % 60:02d}"


def _too_old(result: Result) -> Iterator[Moment]:
    minute = 0
    every = [result.minutes.age(minute) for minute in range(len(result.minutes.oldest_age))]
    for late, ages in groupby(every, key=lambda age: age > result.slo):
        together = list(ages)
        if late:
            what = f"messages are too old, up to {seconds_text(max(together))}"
            yield Moment(60 * minute, 60 * (minute + len(together)), what, 1e6 + len(together))
        minute += len(together)


def _blocked(events: Sequence[Event]) -> Iterator[Moment]:
    """Each policy and reason once, from the first time to the last: they repeat."""
    seen: dict[tuple[str, str], list[int]] = {}
    for event in events:
        # At its minimum a service rests.
        if event.kind == "blocked" and event.detail != "minimum":
            seen.setdefault((event.name, event.detail), []).append(event.second)
    for (name, reason), seconds in seen.items():
        times = f", {len(seconds)} times" if len(seconds) > 1 else ""
        weight = 1e4 if reason == "maximum" else 1e3
        yield Moment(seconds[0], seconds[-1], f"{name} {REASONS.get(reason, reason)}{times}", weight + len(seconds))


def _scaled(events: Sequence[Event]) -> Iterator[Moment]:
    run: list[tuple[Event, int, int]] = []
    for event in events:
        if event.kind != "scaled":
            continue
        before, _, after = event.detail.partition(" -> ")
        change = (event, int(before), int(after))
        if run and not (_grows(run[-1]) == _grows(change) and event.second - run[-1][0].second <= TOGETHER):
            yield _run(run)
            run = []
        run.append(change)
    if run:
        yield _run(run)


def _grows(change: tuple[Event, int, int]) -> bool:
    return change[2] > change[1]


def _run(changes: Sequence[tuple[Event, int, int]]) -> Moment:
    (first, before, _), (last, _, after) = changes[0], changes[-1]
    names = " and ".join(dict.fromkeys(event.name for event, _, _ in changes))
    steps = f" in {len(changes)} steps" if len(changes) > 1 else ""
    return Moment(first.second, last.second, f"{before} to {after} tasks{steps}, by {names}", abs(after - before))


def _schedule(events: Sequence[Event]) -> Iterator[Moment]:
    for event in events:
        if event.kind == "schedule":
            yield Moment(event.second, event.second, f"{event.name}: {event.detail}", 500)
