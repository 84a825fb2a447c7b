"""What an alarm fetches, minute by minute."""

from typing import Literal

import pytest

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.metric_feed import Feed, Values
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.model import Combination, Metric, Query, Source

NONE = None


def fetched(
    query: Query,
    seen: list[Observation],
    *,
    count: int,
    queue_lag: float = 0,
    service_lag: float = 0,
    late_math: Literal["waits", "zeros"] = "waits",
) -> Values:
    """The datapoints after the last of these minutes."""
    feed = Feed(
        {metric.source for metric in query.metrics.values()},
        Assumptions(queue_lag=queue_lag, service_lag=service_lag, late_math=late_math),
    )
    datapoints = feed.datapoints(query, count=count)
    result: Values = []
    for minute in seen:
        feed.add(minute)
        result = datapoints()
    return result


def single(source: Source, *, combination: Combination = "max", minutes: int = 1) -> Query:
    return Query(metrics={"m": Metric(source=source, combination=combination, minutes=minutes)})


def math(expression: str) -> Query:
    metrics = {"visible": Metric(source="visible"), "running": Metric(source="running", combination="sum")}
    return Query(metrics=metrics, expressions=[("result", expression)])


VISIBLE = [Observation(visible=number, running=2) for number in (1, 2, 3, 4, 5, 6)]


def test_the_newest_datapoints_come_oldest_first() -> None:
    assert fetched(single("visible"), VISIBLE, count=3) == [4, 5, 6]


@pytest.mark.parametrize(("lag", "points"), [(0, [5, 6]), (1, [5, NONE]), (60, [5, NONE]), (61, [NONE, NONE])])
def test_what_is_late_is_missing(lag: float, points: Values) -> None:
    assert fetched(single("visible"), VISIBLE, count=2, queue_lag=lag) == points


def test_of_a_metric_that_is_very_late_more_is_fetched_so_that_some_of_it_is_there() -> None:
    assert fetched(single("visible"), VISIBLE, count=3, queue_lag=180) == [3, NONE, NONE, NONE]


def test_before_the_first_minute_there_is_nothing() -> None:
    assert fetched(single("visible"), VISIBLE[:1], count=3, queue_lag=60) == [NONE]
    assert fetched(single("visible"), VISIBLE[:2], count=3) == [1, 2]


@pytest.mark.parametrize(("combination", "value"), [("max", 6), ("min", 2), ("mean", 4), ("sum", 20)])
def test_a_five_minute_period_slides_with_every_minute(combination: Combination, value: float) -> None:
    assert fetched(single("visible", combination=combination, minutes=5), VISIBLE, count=1) == [value]


def test_of_periods_before_the_first_minute_math_makes_nothing() -> None:
    quiet = Query(metrics={"m": Metric(source="running", minutes=5)}, expressions=[("result", "FILL(m, 0)")])
    assert fetched(quiet, VISIBLE, count=5) == [2, 2]


def test_of_a_five_minute_period_only_the_last_minute_is_late() -> None:
    assert fetched(single("visible", minutes=5), VISIBLE, count=1, queue_lag=60) == [5]


def test_a_service_without_tasks_reports_nothing() -> None:
    idle = [Observation(running=0), Observation(running=3)]
    assert fetched(single("running"), idle, count=2) == [NONE, 3]
    assert fetched(single("cpu"), idle, count=2) == [NONE, 0]


def test_math_is_calculated_minute_by_minute() -> None:
    assert fetched(math("visible / running"), VISIBLE, count=3) == [2, 2.5, 3]


def test_math_over_a_whole_series_is_calculated_over_what_is_fetched() -> None:
    assert fetched(math("visible - DIFF(visible)"), VISIBLE, count=2) == [4, 5]


def test_fill_fills_what_is_only_late() -> None:
    """AWS warns of it: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html"""
    late = fetched(math("FILL(running, 0)"), VISIBLE, count=3, service_lag=60)
    assert late == [2, 2, 0]
    together = fetched(math("IF(visible > 0, FILL(running, 0))"), VISIBLE, count=3, service_lag=60, queue_lag=60)
    assert together == [2, 2, NONE]


def test_math_over_what_is_only_late_waits_or_counts_zeros() -> None:
    """AWS's words allow both: FILL fills, and beside what is there the rest is 0."""
    backlog = math("visible / FILL(running, 1)")
    lags = {"service_lag": 60.0, "queue_lag": 60.0}
    assert fetched(backlog, VISIBLE, count=3, **lags) == [2, 2.5, NONE]
    assert fetched(backlog, VISIBLE, count=3, late_math="zeros", **lags) == [2, 2.5, 0]


def test_math_is_final_once_everything_is_there() -> None:
    assert fetched(math("visible + FILL(running, 0)"), VISIBLE, count=4, service_lag=120) == [5, 6, 5, 6]


def test_what_the_planner_publishes_belongs_to_the_minute_that_begins() -> None:
    feed = Feed({"capacity_gap"}, Assumptions())
    datapoints = feed.datapoints(single("capacity_gap"), count=2)
    feed.add(Observation())
    feed.publish({"capacity_gap": 3})
    assert datapoints() == [NONE]
    feed.add(Observation())
    assert datapoints() == [NONE, 3]


def test_in_the_first_minutes_metrics_of_different_lags_fit_into_one_expression() -> None:
    assert fetched(math("visible + FILL(running, REPEAT)"), VISIBLE[:1], count=2, queue_lag=60, service_lag=120) == [
        NONE
    ]
