"""Scaling by latency in metric math: what the expressions answer, and that CloudWatch takes them in alarms."""

import re
from typing import Any

import pytest

from fargate_workers.scaling.latency_budget import LatencyBudget
from fargate_workers_planner.metric_math import Expressions, LatencyExpressions
from fargate_workers_toolkit.aws_behaviour import metric_math

METRICS = {"visible", "in_flight", "oldest", "sent", "received", "deleted", "running"}


def made(
    *, concurrency: int = 1, min_tasks: int = 1, most_tasks: int = 50, processing_time: float = 0.5, **options: Any
) -> LatencyExpressions:
    budget = LatencyBudget(processing_time=processing_time, function=False, **options)
    return budget.expressions(concurrency=concurrency, min_tasks=min_tasks, most_tasks=most_tasks)


def value(expressions: Expressions, **metrics: float | None) -> float | None:
    """What an alarm sees of one minute; metrics that are not named report 0, the oldest message nothing.

    Tasks that may be too few hold all they can in flight.
    """
    known: dict[str, list[float | None]] = {name: [0.0] for name in METRICS} | {"oldest": [None]}
    if "taken" in expressions:
        known["in_flight"] = [1e6]
    known |= {name: [metric] for name, metric in metrics.items()}
    for name, text in expressions.items():
        known[name] = metric_math.evaluate(text, known)
    return known[list(expressions)[-1]][0]


def test_a_jump_beyond_the_tasks_asks_for_its_load_and_what_waits_at_once() -> None:
    # 60 a second keep 30 tasks busy; 1,500 that wait are worked off in 150 s by 5 more.
    assert value(made().scale_out, running=3, sent=3_600, visible=1_500) == 32


def test_messages_of_which_a_task_handles_ten_at_once_need_a_tenth() -> None:
    assert value(made(concurrency=10).scale_out, running=3, sent=36_000, visible=15_000) == 32


def test_what_the_queue_absorbs_adds_no_task() -> None:
    assert value(made().scale_out, running=5, sent=630, visible=400) == 0


@pytest.mark.parametrize(("mode", "gap"), [("balanced", 7), ("cost", 0)])
def test_cost_lets_messages_wait_for_half_of_the_acceptable_latency(mode: str, gap: int) -> None:
    # They would wait for 100 s.
    assert value(made(mode=mode).scale_out, running=10, sent=1_200, visible=2_000) == gap


def test_the_more_latency_is_accepted_the_less_a_minute_is_believed_to_stay() -> None:
    spike = {"running": 1, "sent": 6_000, "visible": 6_000}
    gaps = [value(made(acceptable_latency=latency).scale_out, **spike) for latency in (300, 600, 1_800)]
    assert gaps == [49, 23, 7]


def test_a_short_budget_asks_for_the_load_and_no_more() -> None:
    assert value(made(acceptable_latency=200).scale_out, running=10, sent=2_400) == 10


def test_late_messages_are_answered_by_what_the_tasks_did_whatever_was_declared() -> None:
    # A minute's 900 and, in each of the two that are left, half of the 3,000 that wait: twice what 8 tasks did.
    late = {"running": 8, "sent": 900, "deleted": 1_200, "visible": 3_000, "oldest": 180}
    assert value(made(processing_time=0.001).scale_out, **late) == 8
    assert value(made(processing_time=0.001).scale_out, **{**late, "oldest": 150}) == 0


def test_a_minute_that_did_little_adds_three_times_the_tasks_at_most() -> None:
    late = {"running": 5, "sent": 900, "deleted": 1, "visible": 3_000, "oldest": 180}
    assert value(made(processing_time=0.001).scale_out, **late) == 15


def test_where_nothing_succeeds_more_tasks_would_not_help() -> None:
    late = {"running": 5, "sent": 60, "deleted": 0, "visible": 60, "oldest": 280}
    assert value(made(processing_time=0.001).scale_out, **late) == 0


def test_messages_that_wait_beside_tasks_that_do_not_take_them_add_none() -> None:
    blocked = {"running": 20, "sent": 9_600, "deleted": 900, "visible": 9_000, "oldest": 280}
    assert value(made().scale_out, **blocked, in_flight=6) == 0
    assert value(made(concurrency=10).scale_out, **blocked, in_flight=66) == 0
    assert value(made().scale_out, **blocked, in_flight=7) == 30


def test_the_slower_tasks_start_the_earlier_are_they_added() -> None:
    rising = {"running": 10, "sent": 1_800, "visible": 1_500}
    assert value(made(launch_latency=180).scale_out, **rising) == 18
    assert value(made().scale_out, **rising) == 10


def test_where_tasks_start_too_late_to_help_those_stay_that_bear_twice_the_load() -> None:
    # 10 for the load, and as many more as let the last message wait for 60 s while it doubles.
    assert value(made(acceptable_latency=60).scale_in, running=40, sent=1_200) == 40 - 15


def test_no_more_tasks_are_asked_for_than_may_run() -> None:
    assert value(made(most_tasks=20).scale_out, running=3, sent=3_600, visible=9_000) == 17
    assert value(made(most_tasks=20).scale_out, running=20, sent=3_600, visible=9_000) == 0


@pytest.mark.parametrize(("mode", "spare"), [("balanced", 8), ("cost", 10)])
def test_tasks_go_that_neither_load_nor_backlog_needs(mode: str, spare: int) -> None:
    # 10 for the load, with 15 % room or none.
    assert value(made(mode=mode).scale_in, running=20, sent=1_200) == spare
    assert value(made(mode=mode).scale_in, running=20, sent=1_200, visible=300) == spare - 1


def test_tasks_that_work_stay_whatever_was_declared() -> None:
    assert value(made(processing_time=0.001).scale_in, running=20, sent=1_200, in_flight=15) == 5
    assert value(made(processing_time=0.001, concurrency=10).scale_in, running=20, sent=1_200, in_flight=142) == 5


def test_a_surplus_that_would_be_back_soon_stays() -> None:
    assert value(made().scale_in, running=20, in_flight=18) == 0
    assert value(made().scale_in, running=20, in_flight=17) == 3


@pytest.mark.parametrize("min_tasks", [0, 1, 4])
def test_the_least_tasks_stay_when_there_is_nothing_to_do(min_tasks: int) -> None:
    assert value(made(min_tasks=min_tasks).scale_in, running=9) == 9 - min_tasks


def test_a_sleeping_service_wakes_with_as_many_tasks_as_it_needs() -> None:
    wake_up = made(min_tasks=0).wake_up
    assert value(wake_up, running=None, sent=1, visible=1) == 1
    assert value(wake_up, running=None, sent=1_200, visible=1_200) == 14
    assert value(wake_up, running=None) == 0


def test_tasks_of_which_ecs_says_nothing_are_not_taken_for_sleep() -> None:
    assert value(made(min_tasks=0).wake_up, running=None, sent=60, visible=3, received=60) == 0


@pytest.mark.parametrize("silent", ["SQS", "ECS", "both"])
def test_a_minute_of_which_metrics_are_missing_neither_adds_nor_removes_tasks(silent: str) -> None:
    busy = {"running": 9, "sent": 9_000, "visible": 9_000, "in_flight": 2, "deleted": 500, "oldest": 200}
    missing = {"SQS": METRICS - {"running"}, "ECS": {"running"}, "both": METRICS}[silent]
    # CloudWatch's arithmetic takes what is missing for 0, and only FILL can tell.
    seen = {name: 0 if name in missing else number for name, number in busy.items()}
    expressions = made(min_tasks=0)
    for each in expressions if "visible" in missing else expressions[:2]:
        filled = {
            name: text.replace("FILL(visible, -1)", "-1") if "visible" in missing else text
            for name, text in each.items()
        }
        assert value(filled, **seen) is None
        assert value(each, **{name: None if name in missing else number for name, number in busy.items()}) is None


# What CloudWatch takes


ODD = [
    {},
    {"processing_time": 0.001, "concurrency": 500, "acceptable_latency": 1, "most_tasks": 5_000, "mode": "cost"},
    {"processing_time": 43_200.125, "acceptable_latency": 1_209_600, "min_tasks": 4_999, "most_tasks": 5_000},
]


@pytest.mark.parametrize("options", ODD)
def test_an_alarm_may_have_so_many_metrics_and_expressions_of_such_a_length(options: dict[str, Any]) -> None:
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
    for expressions in made(**options):
        read = METRICS & set(re.findall(r"\w+", " ".join(expressions.values())))
        assert len(read) <= 10
        assert len(expressions) <= 10
        assert max(len(text) for text in expressions.values()) <= 1_024


@pytest.mark.parametrize("options", ODD)
def test_no_function_is_used_that_an_alarm_should_not_have(options: dict[str, Any]) -> None:
    for expressions in made(**options):
        for text in expressions.values():
            assert set(re.findall(r"([A-Z_]+)\(", text)) <= {"IF", "FILL", "CEIL", "MAX"}
            # Of an array, never of one series: an alarm may fetch more of it than it evaluates.
            assert re.findall(r"MAX\((.)", text) in ([], ["["])


@pytest.mark.parametrize("options", ODD)
def test_each_expression_uses_metrics_and_those_before_it(options: dict[str, Any]) -> None:
    for expressions in made(**options):
        known = set(METRICS)
        for name, text in expressions.items():
            assert re.fullmatch("[a-z][a-z_]*", name)
            assert set(re.findall(r"[a-z]\w*", text)) <= known
            assert not re.search(r"\de", text)
            known.add(name)
