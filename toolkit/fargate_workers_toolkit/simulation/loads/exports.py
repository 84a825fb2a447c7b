"""What `aws cloudwatch get-metric-data` and `get-metric-statistics` print, as rows of moments and counts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.moments import is_moment, moment_of


def rows_of_export(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """The moments and counts of an export, ascending, however AWS sorted them.

    Args:
        path: The file, for errors.
        text: Its text.

    Raises:
        SimulationError: It is JSON of another kind.
    """
    try:
        value: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise SimulationError(f"{path} is not JSON: {error.msg} in line {error.lineno}.") from None
    # Whatever stands in the file.
    document = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    results, datapoints = document.get("MetricDataResults"), document.get("Datapoints")
    if isinstance(results, list):
        found = _of_results(path, cast("list[Any]", results))
    elif isinstance(datapoints, list):
        found = [_datapoint(path, datapoint) for datapoint in cast("list[Any]", datapoints)]
    else:
        raise SimulationError(
            f"{path} is JSON of another kind than aws cloudwatch get-metric-data or get-metric-statistics prints."
        )
    rows = [(str(moment), str(count)) for moment, count in found]
    # Moments of two summer times do not sort as text. What is none is refused where rows are read.
    if all(is_moment(moment) for moment, _ in rows):
        rows.sort(key=lambda row: moment_of(row[0]))
    yield from rows


def _of_results(path: Path, results: list[Any]) -> list[tuple[Any, Any]]:
    if len(results) != 1:
        raise SimulationError(f"{path} has {len(results)} metrics; export NumberOfMessagesSent alone.")
    try:
        return list(zip(results[0]["Timestamps"], results[0]["Values"], strict=True))
    except (KeyError, TypeError, ValueError):
        raise SimulationError(f"{path} has a metric without as many Timestamps as Values; export it again.") from None


def _datapoint(path: Path, datapoint: Any) -> tuple[Any, Any]:
    match datapoint:
        case {"Timestamp": moment, "Sum": count}:
            return moment, count
        case _:
            raise SimulationError(f"{path} has a datapoint without Sum; export the metric with --statistics Sum.")
