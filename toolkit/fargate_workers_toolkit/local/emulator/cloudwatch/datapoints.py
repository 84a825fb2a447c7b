"""What CloudWatch holds, as series of one value a period: what alarms look at and GetMetricData answers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.aws_behaviour import Series, metric_math
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.ministack_parts import cloudwatch

Query = Mapping[str, Any]
Span = range
"""The minutes of one period."""

# Target tracking's customized metrics name no period.
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingMetricStat.html
DEFAULT_PERIOD = 60


def spans_until(minute: int, *, period: int, count: int) -> list[Span]:
    """Return so many periods, oldest first; the last one ends with `minute`, and none is before the first minute."""
    minutes = max(period // 60, 1)
    ends = [minute + 1 - minutes * index for index in reversed(range(count))]
    return [range(end - minutes, end) for end in ends if end > 0]


def period_of(queries: Sequence[Query]) -> int:
    """Return the one period of expressions and of what they are made of, in seconds."""
    return max(int(query["MetricStat"].get("Period", DEFAULT_PERIOD)) for query in queries if "MetricStat" in query)


class Datapoints:
    """Metrics by minutes of the clock.

    Args:
        clock: The clock of the embedded AWS.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def single(self, metric: Mapping[str, Any], statistic: str, spans: Sequence[Span]) -> Series:
        """Return one value for each span, None where nothing was measured."""
        given: list[Mapping[str, str]] = metric.get("Dimensions") or []
        dimensions = {item["Name"]: item["Value"] for item in given}
        key = (metric["Namespace"], metric["MetricName"], cloudwatch._dims_key(dimensions))
        points: dict[int, list[dict[str, Any]]] = defaultdict(list)
        # Newest first, so that what is long past is not looked at. Points may come a minute or two late.
        for point in reversed(cloudwatch._metrics.get(key) or []):
            minute = self._clock.minute_of(point["Timestamp"])
            if minute < spans[0].start - 2:
                break
            points[minute].append(point)
        return [_statistic([point for minute in span for point in points.get(minute, ())], statistic) for span in spans]

    def combined(self, queries: Sequence[Query], spans: Sequence[Span]) -> dict[str, Series]:
        """Return the series of every metric and expression, by id."""
        series = {
            query["Id"]: self.single(query["MetricStat"]["Metric"], query["MetricStat"]["Stat"], spans)
            for query in queries
            if "MetricStat" in query
        }
        expressions = {query["Id"]: query["Expression"] for query in queries if "Expression" in query}
        for name, expression in metric_math.in_order(expressions):
            series[name] = metric_math.evaluate(expression, series, period=60 * len(spans[0]))
        return series


def is_returned(query: Query) -> bool:
    """Return whether a query's own series is asked for, or only what others make of it."""
    return str(query.get("ReturnData", True)).lower() != "false"


def _statistic(points: list[dict[str, Any]], statistic: str) -> float | None:
    return cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points) if points else None
