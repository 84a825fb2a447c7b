"""The reading of CloudWatch: metrics of the last minutes."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from fargate_workers_planner.arithmetic import HISTORY

_MINUTE = timedelta(minutes=1)

#: Metrics that one GetMetricData reads.
MOST_METRICS = 500

#: The last HISTORY whole minutes of a metric, oldest first; None where there is no datapoint.
Minutes = list[float | None]


class MinutelyMetric(NamedTuple):
    """A metric of CloudWatch, read minute by minute.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        dimensions: Its dimensions.
        statistic: CloudWatch's name of the statistic.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str


def read(metrics: Mapping[str, MinutelyMetric], *, until: datetime, cloudwatch: Any) -> dict[str, Minutes]:
    """The minutes of each metric, by its key.

    Args:
        metrics: The metrics, MOST_METRICS at most, by keys that CloudWatch takes: a lower letter, then letters, digits.
        until: The full minute at which the history ends.
        cloudwatch: CloudWatch's client.
    """
    start = until - HISTORY * _MINUTE
    found: dict[str, Minutes] = {key: [None] * HISTORY for key in metrics}
    if metrics:
        asked = [_query(key, metric) for key, metric in metrics.items()]
        for result in _results(cloudwatch, MetricDataQueries=asked, StartTime=start, EndTime=until):
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                minute = (moment - start) // _MINUTE
                if 0 <= minute < HISTORY:
                    found[result["Id"]][minute] = value
    return found


def newest(minutes: Minutes, *, within: int) -> float | None:
    """The newest value of the last so many minutes; None if there is none.

    Args:
        minutes: The minutes of a metric.
        within: Minutes to look at.
    """
    return next((value for value in reversed(minutes[-within:]) if value is not None), None)


def _query(key: str, metric: MinutelyMetric) -> dict[str, Any]:
    return {
        "Id": key,
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions.items()],
            },
            "Period": 60,
            "Stat": metric.statistic,
        },
    }


def _results(cloudwatch: Any, **request: Any) -> Iterator[dict[str, Any]]:
    """All pages: a metric may continue on the next."""
    token: str | None = None
    while True:
        page = cloudwatch.get_metric_data(**request, **({"NextToken": token} if token else {}))
        yield from page["MetricDataResults"]
        token = page.get("NextToken")
        if not token:
            return
