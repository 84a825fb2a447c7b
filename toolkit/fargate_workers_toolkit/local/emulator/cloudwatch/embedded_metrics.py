"""CloudWatch's embedded metric format: metrics inside a line of a log.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EmbeddedMetric:
    """One metric under one set of dimensions.

    Args:
        namespace: Its namespace.
        name: Its name.
        unit: Its unit, in the words of CloudWatch.
        dimensions: Values by name.
        moment: When it was measured, in seconds since 1970.
        values: Each value with how often it occurred.
    """

    namespace: str
    name: str
    unit: str
    dimensions: Mapping[str, str]
    moment: float
    values: list[tuple[float, float]]


def embedded_metrics(line: str) -> list[EmbeddedMetric]:
    """Read the metrics of a line.

    Args:
        line: A line of a log.

    Returns:
        The metrics; none for an ordinary line.
    """
    if '"CloudWatchMetrics"' not in line:
        return []
    try:
        record: dict[str, Any] = json.loads(line)
        return [
            EmbeddedMetric(
                namespace=directive["Namespace"],
                name=metric["Name"],
                unit=metric.get("Unit", "None"),
                dimensions={name: str(record[name]) for name in names if name in record},
                moment=record["_aws"]["Timestamp"] / 1000,
                values=_values(record.get(metric["Name"], [])),
            )
            for directive in record["_aws"]["CloudWatchMetrics"]
            for names in directive.get("Dimensions", [[]])
            for metric in directive["Metrics"]
        ]
    except (ValueError, KeyError, TypeError):
        return []


def _values(found: "float | list[float] | dict[str, list[float]]") -> list[tuple[float, float]]:
    """The format takes a number, a list, or values and how often each occurred."""
    if isinstance(found, dict):
        return list(zip(found["Values"], found["Counts"], strict=True))
    return [(value, 1) for value in (found if isinstance(found, list) else [found])]
