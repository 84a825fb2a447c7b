"""Metrics and the expression over them, as CloudWatch alarms and target tracking both spell them."""

from collections.abc import Mapping
from typing import Any

from fargate_workers.alarms.alarm_definition import Metric


def metric_queries(
    metrics: Mapping[str, Metric],
    expression: str | Mapping[str, str],
    *,
    period: int | None,
    label: str | None = None,
) -> list[dict[str, Any]]:
    """One query for each metric, by its key, and one for what `expression` makes of them.

    Of several expressions, by name, each may use those before it; the last one is the result.

    Plain dictionaries in JavaScript's spelling: the CDK's own classes check the type of every value once more, which
    adds up over the many alarms of an application.
    """
    queries = [_query(key, metric, period) for key, metric in metrics.items()]
    expressions = {"result": expression} if isinstance(expression, str) else expression
    *steps, result = ({"id": name, "expression": each, "returnData": False} for name, each in expressions.items())
    result = {**result, "returnData": True}
    return [*queries, *steps, result if label is None else {**result, "label": label}]


def dimensions(metric: Metric) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in metric.dimensions.items()]


def _query(key: str, metric: Metric, period: int | None) -> dict[str, Any]:
    stat: dict[str, Any] = {
        "stat": metric.statistic,
        "metric": {"namespace": metric.namespace, "metricName": metric.name, "dimensions": dimensions(metric)},
    }
    return {"id": key, "returnData": False, "metricStat": stat if period is None else {**stat, "period": period}}
