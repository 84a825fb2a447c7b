"""Metrics inside log lines, as the embedded AWS reads them and the runtime writes them."""

import pytest

from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_toolkit.local.emulator.cloudwatch.embedded_metrics import embedded_metrics


def test_what_the_runtime_writes_is_read() -> None:
    lines: list[str] = []
    metrics = Metrics("Orders", write=lines.append)
    metrics.count("MessagesHandled", 3)
    for seconds in (0.5, 0.5, 2.0):
        metrics.worked(seconds)
    metrics.flush()
    (line,) = lines
    read = {metric.name: metric for metric in embedded_metrics(line)}
    assert read["MessagesHandled"].values == [(3, 1)]
    assert read["MessagesHandled"].unit == "Count"
    assert read["MessagesHandled"].namespace == "FargateWorkers"
    assert read["MessagesHandled"].dimensions == {"Worker": "Orders"}
    assert read["WorkSeconds"].unit == "Seconds"
    assert read["WorkSeconds"].values == [(0.5, 2), (2.0, 1)]


@pytest.mark.parametrize("line", ["", "{}", "plain text", '{"_aws": {"CloudWatchMetrics": 7}}', '"CloudWatchMetrics"'])
def test_another_line_holds_no_metrics(line: str) -> None:
    assert embedded_metrics(line) == []
