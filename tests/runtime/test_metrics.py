"""The embedded metric format, once a minute."""

import json
import math
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_runtime.telemetry.line_writer import PIPE_BUF
from fargate_workers_runtime.telemetry.metrics import COUNTS, MAX_VALUES, Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def metrics(lines: list[str]) -> Metrics:
    return Metrics("ApplyOrders", write=lines.append)


def test_a_line_is_in_the_format_cloudwatch_reads(metrics: Metrics, lines: list[str]) -> None:
    metrics.count("MessagesHandled")
    metrics.count("MessagesHandled")
    metrics.count("Requests", 3)
    metrics.took(0.5)
    metrics.worked(0.75)
    metrics.worked(0.25)
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
                {"Name": "MessagesPostponed", "Unit": "Count"},
                {"Name": "MessagesPoisoned", "Unit": "Count"},
                {"Name": "MessagesDuplicate", "Unit": "Count"},
                {"Name": "MessagesFenced", "Unit": "Count"},
                {"Name": "OutcomesGivenUp", "Unit": "Count"},
                {"Name": "Requests", "Unit": "Count"},
                {"Name": "HandlerSeconds", "Unit": "Seconds"},
                {"Name": "WorkSeconds", "Unit": "Seconds"},
            ],
        }
    ]
    assert line == {
        "Worker": "ApplyOrders",
        "MessagesHandled": 2,
        "MessagesFailed": 0,
        "MessagesPostponed": 0,
        "MessagesPoisoned": 0,
        "MessagesDuplicate": 0,
        "MessagesFenced": 0,
        "OutcomesGivenUp": 0,
        "Requests": 3,
        "HandlerSeconds": {"Values": [0.5], "Counts": [1], "Min": 0.5, "Max": 0.5, "Sum": 0.5, "Count": 1},
        "WorkSeconds": {"Values": [0.25, 0.75], "Counts": [1, 1], "Min": 0.25, "Max": 0.75, "Sum": 1.0, "Count": 2},
    }


def test_a_quiet_minute_says_zero(metrics: Metrics, lines: list[str]) -> None:
    metrics.count("MessagesFailed")
    metrics.took(1)
    metrics.flush()
    metrics.flush()
    assert [json.loads(line)["MessagesFailed"] for line in lines] == [1, 0]
    quiet = json.loads(lines[1])
    assert [quiet[name] for name in COUNTS] == [0] * len(COUNTS)
    assert "HandlerSeconds" not in quiet


def test_the_mean_follows_what_handlers_take_now(metrics: Metrics) -> None:
    assert metrics.mean_seconds is None
    metrics.took(10)
    assert metrics.mean_seconds == 10
    for _ in range(50):
        metrics.took(0.01)
    assert metrics.mean_seconds < 0.1


def test_the_rate_is_that_of_the_last_seconds(lines: list[str]) -> None:
    clock = Clock()
    metrics = Metrics("ApplyOrders", write=lines.append, clock=clock)
    assert metrics.rate == 0
    for _ in range(6_000):
        clock.now += 0.01
        metrics.took(0.001)
    assert metrics.rate == pytest.approx(100, rel=0.01)
    clock.now += 60
    assert metrics.rate < 1


def test_the_rate_is_the_same_however_often_it_is_looked_at() -> None:
    clock = Clock()
    seldom, often = (Metrics("ApplyOrders", write=lambda _line: None, clock=clock) for _ in range(2))
    for _ in range(90):
        clock.now += 0.1
        for metrics in (seldom, often):
            metrics.took(0.001)
        assert often.rate > 0
    assert seldom.rate == pytest.approx(often.rate, rel=1e-9)


def test_the_mean_is_known_from_the_first_time_on() -> None:
    metrics = Metrics("ApplyOrders", write=lambda _line: None)
    assert metrics.mean_seconds is None
    metrics.took(3)
    assert metrics.mean_seconds == 3


def test_what_many_threads_count_is_all_there(metrics: Metrics, lines: list[str]) -> None:
    def count() -> None:
        for _ in range(1_000):
            metrics.count("MessagesHandled")
            metrics.took(0.01)
            metrics.worked(0.02)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.flush()
    line = json.loads(lines[0])
    assert (line["MessagesHandled"], line["HandlerSeconds"]["Count"], line["WorkSeconds"]["Count"]) == (8_000,) * 3


def summary(values: list[float]) -> dict[str, Any]:
    lines: list[str] = []
    metrics = Metrics("ApplyOrders", write=lines.append)
    for value in values:
        metrics.took(value)
    metrics.flush()
    return json.loads(lines[0], parse_constant=pytest.fail)["HandlerSeconds"]


@given(st.lists(st.floats(0, 43_200), min_size=1, max_size=700))
def test_a_busy_minute_fits_into_100_values_with_the_same_sum_and_count(values: list[float]) -> None:
    found = summary(values)
    assert len(found["Values"]) == len(found["Counts"]) <= MAX_VALUES
    assert found["Values"] == sorted(found["Values"])
    assert sum(found["Counts"]) == found["Count"] == len(values)
    weighed = sum(value * count for value, count in zip(found["Values"], found["Counts"], strict=True))
    assert weighed == pytest.approx(sum(values), rel=1e-3)
    assert (found["Min"], found["Max"]) == pytest.approx((min(values), max(values)), rel=1e-3)


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=700), st.integers(1, 100))
def test_percentiles_of_a_busy_minute_are_true_to_a_tenth(values: list[float], percent: int) -> None:
    found = summary(values)
    rank = math.ceil(len(values) * percent / 100)
    spread = [value for value, count in zip(found["Values"], found["Counts"], strict=True) for _ in range(count)]
    assert spread[rank - 1] == pytest.approx(sorted(values)[rank - 1], rel=0.11)


def test_the_longest_line_reaches_a_pipe_in_one_piece(lines: list[str]) -> None:
    metrics = Metrics("W" * 64, write=lines.append)
    for step in range(100):
        for _ in range(100 if step % 2 else 1):
            metrics.took(0.00012345 * 1.12**step)
            metrics.worked(0.00012345 * 1.12**step)
    for name in COUNTS:
        metrics.count(name, 1_000_000_000)
    metrics.flush()
    assert len(json.loads(lines[0])["WorkSeconds"]["Values"]) > 90
    assert len(lines[0]) < PIPE_BUF


def test_what_a_broker_shows_of_itself_is_written_and_costs_the_others_nothing() -> None:
    lines: list[str] = []
    metrics = Metrics("orders", write=lines.append)
    metrics.flush()
    metrics.observe(lambda: {"Lag": 7, "OldestAge": 1.5})
    metrics.count("EntriesTrimmed", 2)
    metrics.flush()
    quiet, loud = (json.loads(line) for line in lines)
    assert not quiet.keys() & {"Lag", "OldestAge", "EntriesTrimmed"}
    assert (loud["Lag"], loud["OldestAge"], loud["EntriesTrimmed"]) == (7, 1.5, 2)
    units = {each["Name"]: each["Unit"] for each in loud["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert (units["Lag"], units["OldestAge"], units["EntriesTrimmed"]) == ("Count", "Seconds", "Count")


def test_a_broker_that_does_not_answer_costs_the_line_nothing_else() -> None:
    lines: list[str] = []
    metrics = Metrics("orders", write=lines.append)

    def fail() -> dict[Any, float]:
        raise ConnectionError("away")

    metrics.observe(fail)
    metrics.count("MessagesHandled")
    metrics.flush()
    (line,) = (json.loads(line) for line in lines)
    assert line["MessagesHandled"] == 1
    assert "Lag" not in line
