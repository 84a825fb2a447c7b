"""Metrics as CloudWatch shows them: one value a minute, seen some minutes late, in periods that slide."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from fargate_workers_toolkit.aws_behaviour import EXTRA_DATAPOINTS, Expression, sliding_windows
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.control.queue_activity import QueueActivity
from fargate_workers_toolkit.simulation.model import Combination, Metric, Query, Source

Values = list[float | None]

READ: Mapping[Source, Callable[[Observation], float | None]] = {
    "visible": lambda seen: seen.visible,
    "in_flight": lambda seen: seen.in_flight,
    "delayed": lambda _: 0.0,
    "oldest_age": lambda seen: seen.oldest_age,
    "lag": lambda seen: seen.visible + seen.in_flight,
    "sent": lambda seen: seen.sent,
    "received": lambda seen: seen.received,
    "deleted": lambda seen: seen.deleted,
    # A service without tasks reports nothing at all.
    "cpu": lambda seen: seen.cpu if seen.running else None,
    "running": lambda seen: seen.running or None,
    "desired": lambda seen: seen.desired,
    "pending": lambda seen: seen.pending,
}
QUEUE_SOURCES: frozenset[Source] = frozenset(
    {"visible", "in_flight", "delayed", "oldest_age", "lag", "sent", "received", "deleted"}
)
PLANNED: frozenset[Source] = frozenset({"planned_tasks", "capacity_gap", "capacity_gap_in", "backlog_seconds"})

_COMBINE: Mapping[Combination, Callable[[Sequence[float]], float]] = {
    "max": max,
    "min": min,
    "mean": lambda values: sum(values) / len(values),
    "sum": sum,
}


class Feed:
    """The values of the sources in use, minute by minute.

    Args:
        sources: The sources in use.
        assumptions: What AWS does not promise.
        activity: The activity of the queue, if it may sleep. Defaults to None: it never does.
    """

    def __init__(
        self, sources: Iterable[Source], assumptions: Assumptions, *, activity: QueueActivity | None = None
    ) -> None:
        self._activity = activity
        self._values: dict[Source, Values] = {source: [] for source in sources}
        self._late = {source: minutes_late(source, assumptions) for source in self._values}
        self._waits = assumptions.late_math == "waits"
        self._read = [(source, READ[source], values) for source, values in self._values.items() if source in READ]
        self._planned: list[tuple[Source, Values]] = [
            (source, values) for source, values in self._values.items() if source in PLANNED
        ]
        self._coming: Mapping[Source, float] = {}

    def add(self, seen: Observation) -> None:
        """Ends a minute. What the planner published during it belongs to it."""
        if self._activity is None or self._activity.reports(seen):
            for _, read, values in self._read:
                values.append(read(seen))
        else:
            for source, read, values in self._read:
                values.append(None if source in QUEUE_SOURCES else read(seen))
        for source, values in self._planned:
            values.append(self._coming.get(source))
        self._coming = {}

    def publish(self, values: Mapping[Source, float]) -> None:
        """Puts custom metrics into the minute that begins."""
        self._coming = values

    def datapoints(self, query: Query, *, count: int) -> Callable[[], Values]:
        """What an alarm fetches at each evaluation: the newest `count` datapoints, oldest first, None where missing.

        It fetches more of metrics that come later: how far CloudWatch looks back is not documented, but it finds them.
        """
        minutes = max(metric.minutes for metric in query.metrics.values())
        late = max(self._late[metric.source] for metric in query.metrics.values())
        count += max(0, math.ceil(late / minutes) - EXTRA_DATAPOINTS)
        if not query.expressions:
            (metric,) = query.metrics.values()
            return self._single(metric, count)
        expressions = _parsed(query, minutes, waits=False)
        if minutes == 1 and all(expression.pointwise for _, expression in expressions):
            return self._pointwise(query, expressions, count)
        return self._series(query, expressions, count)

    def _single(self, metric: Metric, count: int) -> Callable[[], Values]:
        values, late = self._values[metric.source], self._late[metric.source]
        unseen: Values = [None] * late
        if metric.minutes == 1 and not late:
            return lambda: values[-count:]
        if metric.minutes == 1:

            def newest() -> Values:
                end = len(values) - late
                return values[max(end - count + late, 0) : max(end, 0)] + unseen[: len(values)]

            return newest

        combine, span = _COMBINE[metric.combination], metric.minutes * count

        def combined() -> Values:
            seen = values[-span : max(len(values) - late, 0)] + unseen[: len(values)]
            begun = math.ceil(len(seen) / metric.minutes)
            windows = sliding_windows(seen, minutes=metric.minutes, count=min(count, begun))
            return [combine(window) if window else None for window in windows]

        return combined

    def _pointwise(
        self, query: Query, expressions: Sequence[tuple[str, Expression]], count: int
    ) -> Callable[[], Values]:
        """Minutes whose metrics are all there are calculated once; in younger ones, what is late is missing."""
        columns = [
            (name, self._values[metric.source], self._late[metric.source]) for name, metric in query.metrics.items()
        ]
        latest = max(late for _, _, late in columns)
        length = columns[0][1]
        settled: Values = []
        unsettled = _parsed(query, 1, waits=True) if self._waits else expressions

        def at(minute: int, now: int, expressions: Sequence[tuple[str, Expression]]) -> float | None:
            column = {name: values[minute] if now - minute >= late else None for name, values, late in columns}
            value: float | None = None
            for name, expression in expressions:
                value = column[name] = expression.point(column)
            return value

        def newest() -> Values:
            now = len(length) - 1
            for minute in range(len(settled), now - latest + 1):
                settled.append(at(minute, now, expressions))
            young = [at(minute, now, unsettled) for minute in range(max(now - latest + 1, 0), now + 1)]
            return settled[max(len(settled) + len(young) - count, 0) :] + young[-count:]

        return newest

    def _series(self, query: Query, expressions: Sequence[tuple[str, Expression]], count: int) -> Callable[[], Values]:
        # One more datapoint in front: DIFF and RATE need what came before.
        fetch = {name: self._single(metric, count + 1) for name, metric in query.metrics.items()}
        minutes = max(metric.minutes for metric in query.metrics.values())
        young = math.ceil(max(self._late[metric.source] for metric in query.metrics.values()) / minutes)
        unsettled = _parsed(query, minutes, waits=True) if self._waits else expressions

        def newest() -> Values:
            fetched = {name: values() for name, values in fetch.items()}
            whole = _evaluated(expressions, fetched)
            old = max(len(whole) - young, 0)
            return (whole[:old] + _evaluated(unsettled, fetched)[old:])[-count:]

        return newest


def _evaluated(expressions: Sequence[tuple[str, Expression]], series: Mapping[str, Values]) -> Values:
    known = dict(series)
    for name, expression in expressions:
        known[name] = expression.series(known)
    return known[expressions[-1][0]]


def _parsed(query: Query, minutes: int, *, waits: bool) -> list[tuple[str, Expression]]:
    expressions: list[tuple[str, Expression]] = []
    names = tuple(query.metrics)
    for name, text in query.expressions:
        expressions.append((name, Expression.parse(text, names=names, period=60 * minutes, waits=waits)))
        names = (*names, name)
    return expressions


def minutes_late(source: Source, assumptions: Assumptions) -> int:
    """The minutes after its end at which a minute of a source can be seen.

    Args:
        source: The source.
        assumptions: What AWS does not promise.
    """
    if source in PLANNED:
        return 0
    return math.ceil((assumptions.queue_lag if source in QUEUE_SOURCES else assumptions.service_lag) / 60)
