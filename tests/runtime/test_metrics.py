"""The embedded metric format, once a minute."""

import json
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_runtime.metrics import Metrics, summarize


def test_a_line_is_in_the_format_cloudwatch_reads() -> None:
    lines: list[str] = []
    metrics = Metrics("ApplyOrders", write=lines.append)
    metrics.count("MessagesHandled")
    metrics.count("MessagesHandled")
    metrics.took(0.5)
    metrics.flush()
    line = json.loads(lines[0])
    definition = line.pop("_aws")
    assert isinstance(definition["Timestamp"], int)
    assert definition["CloudWatchMetrics"] == [
        {
            "Namespace": "FargateWorkers",
            "Dimensions": [["Worker"]],
            "Metrics": [
                {"Name": "MessagesHandled", "Unit": "Count"},
                {"Name": "MessagesFailed", "Unit": "Count"},
                {"Name": "MessagesPoisoned", "Unit": "Count"},
                {"Name": "MessagesDuplicate", "Unit": "Count"},
                {"Name": "HandlerSeconds", "Unit": "Seconds"},
            ],
        }
    ]
    assert line == {
        "Worker": "ApplyOrders",
        "MessagesHandled": 2,
        "MessagesFailed": 0,
        "MessagesPoisoned": 0,
        "MessagesDuplicate": 0,
        "HandlerSeconds": [0.5],
    }


def test_a_quiet_minute_says_zero() -> None:
    lines: list[str] = []
    metrics = Metrics("ApplyOrders", write=lines.append)
    metrics.count("MessagesFailed")
    metrics.flush()
    metrics.flush()
    assert [json.loads(line)["MessagesFailed"] for line in lines] == [1, 0]
    assert "HandlerSeconds" not in json.loads(lines[1])


def test_the_mean_follows_what_handlers_take_now() -> None:
    metrics = Metrics("ApplyOrders", write=lambda _line: None)
    assert metrics.mean_seconds is None
    metrics.took(10)
    assert metrics.mean_seconds == 10
    for _ in range(50):
        metrics.took(0.01)
    assert metrics.mean_seconds < 0.1


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=700))
def test_a_busy_minute_fits_into_100_values_with_nearly_the_same_mean(values: list[float]) -> None:
    short = summarize(values, 100)
    assert len(short) == min(100, len(values))
    assert short == sorted(short)
    if len(values) % 100 == 0:
        assert mean(short) == pytest.approx(mean(values), abs=1e-5)
