"""How a service follows its queue: policies, their alarms, and the traps they avoid."""

from typing import Any

import pytest
from aws_cdk import Duration, Stack
from aws_cdk import aws_applicationautoscaling as autoscaling

from fargate_workers.scaling.latency_budget import LatencyBudget
from fargate_workers.scaling.policies import Scaling
from fargate_workers.scaling.scaling_target import ScaledWorker
from fargate_workers.sources.source import Signals
from fargate_workers.sources.sqs.worker_queue import queue_signals
from fargate_workers_planner.metric_math import BACKLOG_PER_TASK, Expressions
from fargate_workers_planner.steps import DEFAULT_STEPS, LADDER
from fargate_workers_toolkit.aws_behaviour import metric_math
from tests.doubles.stack_facts import Facts, synthesize

POLICY = "ApplicationAutoScaling::ScalingPolicy"
TARGET = "ApplicationAutoScaling::ScalableTarget"
ALARM = "CloudWatch::Alarm"


def scaled_worker(signals: Signals) -> ScaledWorker:
    return ScaledWorker(
        name="Orders",
        environment="prod",
        cluster_name="cluster",
        service_name="service",
        signals=signals,
        concurrency=10,
    )


def scaled(scaling: Scaling) -> Any:
    def build(stack: Stack) -> None:
        scaling.scale(stack, scaled_worker(queue_signals("queue")))

    return build


def without_function(**options: Any) -> Scaling:
    return Scaling.for_latency(**{"function": False, "processing_time": Duration.millis(500)} | options)


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    return synthesize(
        {
            "default": scaled(Scaling.on_queue_depth()),
            "asleep": scaled(Scaling.on_queue_depth(min_tasks=0)),
            "one": scaled(Scaling.on_queue_depth(min_tasks=0, max_tasks=1)),
            "fixed": scaled(Scaling.on_queue_depth(min_tasks=3, max_tasks=3)),
            "tracking": scaled(Scaling.on_backlog_per_task(100)),
            "tracking-asleep": scaled(Scaling.on_backlog_per_task(1, min_tasks=0)),
            "latency": scaled(without_function()),
            "latency-asleep": scaled(without_function(min_tasks=0, max_downstream_rate=80)),
        }
    )


def policy(facts: Facts, name: str) -> dict[str, Any]:
    return facts.only(POLICY, PolicyName=name)


def steps(facts: Facts, name: str) -> list[tuple[int, int | None, int]]:
    return [
        (each["MetricIntervalLowerBound"], each.get("MetricIntervalUpperBound"), each["ScalingAdjustment"])
        for each in policy(facts, name)["StepScalingPolicyConfiguration"]["StepAdjustments"]
    ]


def alarm(facts: Facts, name: str) -> dict[str, Any]:
    """The alarm which carries out the policy `name`."""
    return facts.only(ALARM, AlarmActions=[{"Ref": facts.id_of(POLICY, PolicyName=name)}])


def expression(found: dict[str, Any]) -> str:
    (result,) = [each["Expression"] for each in found["Metrics"] if "Expression" in each]
    return str(result)


def names(facts: Facts) -> set[str]:
    return {each["PolicyName"] for each in facts.all(POLICY)}


def test_one_to_ten_tasks_are_the_default(stacks: dict[str, Facts]) -> None:
    for name in ("default", "tracking"):
        target = stacks[name].only(TARGET)
        assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 10)
        assert target["ResourceId"] == "service/cluster/service"
        assert target["ScalableDimension"] == "ecs:service:DesiredCount"


def test_every_policy_belongs_to_the_whole_target(stacks: dict[str, Facts]) -> None:
    for facts in stacks.values():
        for each in facts.all(POLICY):
            assert each["ScalingTargetId"] == {"Ref": facts.id_of(TARGET)}


def test_the_default_steps() -> None:
    assert DEFAULT_STEPS == {1: 1, 100: 3, 500: 8, 2_000: 20}
    assert Scaling.on_queue_depth().steps == ((100, 3), (500, 8), (2_000, 20))


def test_default_steps_go_as_far_as_max_tasks_lets_them() -> None:
    assert Scaling.on_queue_depth(min_tasks=0, max_tasks=2).steps == ((100, 3),)


def test_out_at_once_on_what_waits_and_what_is_in_flight(stacks: dict[str, Facts]) -> None:
    facts = stacks["default"]
    assert steps(facts, "ScaleOut") == [(0, 400, 3), (400, 1_900, 8), (1_900, None, 20)]
    assert policy(facts, "ScaleOut")["StepScalingPolicyConfiguration"]["AdjustmentType"] == "ChangeInCapacity"
    assert policy(facts, "ScaleOut")["StepScalingPolicyConfiguration"]["Cooldown"] == 60
    found = alarm(facts, "ScaleOut")
    assert (found["Threshold"], found["EvaluationPeriods"], found["DatapointsToAlarm"]) == (100, 1, 1)
    assert found["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert expression(found) == "(visible + in_flight)"


def test_in_slowly_by_half_and_never_below_min_tasks(stacks: dict[str, Facts]) -> None:
    facts = stacks["default"]
    assert steps(facts, "ScaleIn") == [(0, None, -50)]
    assert policy(facts, "ScaleIn")["StepScalingPolicyConfiguration"]["AdjustmentType"] == "PercentChangeInCapacity"
    assert policy(facts, "ScaleIn")["StepScalingPolicyConfiguration"]["Cooldown"] == 300
    found = alarm(facts, "ScaleIn")
    assert (found["EvaluationPeriods"], found["DatapointsToAlarm"]) == (5, 5)
    assert expression(found) == "IF((visible + in_flight) <= 99, FILL(running, REPEAT) > 1, 0)"


def test_a_service_that_may_sleep_shrinks_to_one_task_and_never_rounds_to_none(stacks: dict[str, Facts]) -> None:
    facts = stacks["asleep"]
    assert policy(facts, "ScaleIn")["StepScalingPolicyConfiguration"]["AdjustmentType"] == "ExactCapacity"
    assert min(change for _, _, change in steps(facts, "ScaleIn")) == 1
    assert alarm(facts, "ScaleIn")["Threshold"] == 2
    assert expression(alarm(facts, "ScaleIn")) == "IF((visible + in_flight) <= 99, FILL(running, REPEAT), 0)"


def test_the_last_task_goes_after_ten_minutes_of_nothing_at_all(stacks: dict[str, Facts]) -> None:
    facts = stacks["asleep"]
    assert steps(facts, "Sleep") == [(0, None, 0)]
    found = alarm(facts, "Sleep")
    assert (found["EvaluationPeriods"], found["DatapointsToAlarm"]) == (10, 10)
    assert expression(found) == "IF((visible + in_flight) < 1, FILL(running, REPEAT) > 0, 0)"


@pytest.mark.parametrize(("name", "deepest"), [("asleep", 99), ("tracking-asleep", 1)])
def test_the_first_message_wakes_one_task_more_which_undoes_no_scale_out(
    stacks: dict[str, Facts], name: str, deepest: int
) -> None:
    facts = stacks[name]
    assert steps(facts, "WakeUp") == [(0, None, 1)]
    assert policy(facts, "WakeUp")["StepScalingPolicyConfiguration"]["AdjustmentType"] == "ChangeInCapacity"
    found = alarm(facts, "WakeUp")
    assert (found["EvaluationPeriods"], found["Threshold"]) == (2, 1)
    depth = "(visible + in_flight)"
    assert expression(found) == f"IF({depth} >= 1 AND {depth} <= {deepest} AND received < 1, FILL(running, 0) < 1, 0)"


def test_a_service_that_never_sleeps_has_nothing_to_wake_it(stacks: dict[str, Facts]) -> None:
    assert names(stacks["default"]) == {"ScaleOut", "ScaleIn"}
    assert names(stacks["asleep"]) == {"WakeUp", "ScaleOut", "ScaleIn", "Sleep"}
    assert names(stacks["one"]) == {"WakeUp", "Sleep"}
    assert names(stacks["fixed"]) == set()


def test_one_task_is_woken_by_any_depth(stacks: dict[str, Facts]) -> None:
    assert expression(alarm(stacks["one"], "WakeUp")) == (
        "IF((visible + in_flight) >= 1 AND received < 1, FILL(running, 0) < 1, 0)"
    )


def test_silence_neither_adds_nor_stops_tasks(stacks: dict[str, Facts]) -> None:
    for facts in stacks.values():
        assert {each["TreatMissingData"] for each in facts.all(ALARM)} <= {"notBreaching"}


def test_depths_and_tasks_are_read_every_minute(stacks: dict[str, Facts]) -> None:
    metrics = [each["MetricStat"] for each in alarm(stacks["asleep"], "WakeUp")["Metrics"] if "MetricStat" in each]
    assert {each["Period"] for each in metrics} == {60}
    assert [(each["Metric"]["MetricName"], each["Stat"]) for each in metrics] == [
        ("ApproximateNumberOfMessagesVisible", "Maximum"),
        ("ApproximateNumberOfMessagesNotVisible", "Maximum"),
        ("NumberOfMessagesReceived", "Sum"),
        ("CPUUtilization", "SampleCount"),
    ]


def test_tracking_keeps_a_backlog_per_task(stacks: dict[str, Facts]) -> None:
    facts = stacks["tracking"]
    tracking = policy(facts, "BacklogPerTask")["TargetTrackingScalingPolicyConfiguration"]
    assert (tracking["TargetValue"], tracking["ScaleOutCooldown"], tracking["ScaleInCooldown"]) == (100, 60, 300)
    metrics = tracking["CustomizedMetricSpecification"]["Metrics"]
    assert metrics[-1]["Expression"] == BACKLOG_PER_TASK
    assert [each["ReturnData"] for each in metrics] == [False] * 4 + [True]
    assert names(facts) == {"BacklogPerTask"}


@pytest.mark.parametrize(
    ("seen", "backlog"),
    [
        ({"visible": [60, 80], "in_flight": [20, 20], "received": [9, 9], "running": [4, 5]}, 20),
        # ECS is late: its last word.
        ({"visible": [60, 80], "in_flight": [20, 20], "received": [9, 9], "running": [4, None]}, 25),
        ({"visible": [60, 80], "in_flight": [4, 4], "received": [0, 0], "running": [4, None]}, 21),
        # Asleep.
        ({"visible": [60, 80], "in_flight": [0, 0], "received": [0, 0], "running": [None, None]}, 80),
        # SQS is late, and nothing is known.
        ({"visible": [60, None], "in_flight": [20, None], "received": [9, None], "running": [4, 5]}, None),
        ({"visible": [60, None], "in_flight": [20, None], "received": [9, None], "running": [4, None]}, None),
    ],
)
def test_a_late_metric_is_no_backlog(seen: dict[str, list[float | None]], backlog: float | None) -> None:
    assert metric_math.evaluate(BACKLOG_PER_TASK, seen)[-1] == backlog


def test_the_intervals_of_queue_processing_fargate_service_are_accepted() -> None:
    intervals = [
        autoscaling.ScalingInterval(upper=0, change=-1),
        autoscaling.ScalingInterval(lower=100, upper=500, change=1),
        autoscaling.ScalingInterval(lower=500, change=5),
    ]
    with pytest.raises(ValueError, match="never needed"):
        Scaling.on_queue_depth(intervals, max_tasks=2)
    assert Scaling.on_queue_depth(intervals).steps == ((100, 1), (500, 5))


def chain(found: dict[str, Any]) -> Expressions:
    return {each["Id"]: each["Expression"] for each in found["Metrics"] if "Expression" in each}


def test_scaling_by_latency_without_a_function_is_two_alarms_and_two_policies(stacks: dict[str, Facts]) -> None:
    facts = stacks["latency"]
    assert names(facts) == {"ScaleOut", "ScaleIn"}
    assert facts.count(ALARM) == 2
    assert facts.count("Lambda::Function") == 0
    budget = LatencyBudget(processing_time=0.5, function=False)
    expected = budget.expressions(concurrency=10, min_tasks=1, most_tasks=10)
    assert chain(alarm(facts, "ScaleOut")) == expected.scale_out
    assert chain(alarm(facts, "ScaleIn")) == expected.scale_in
    for name in ("ScaleOut", "ScaleIn"):
        watched = [each["Id"] for each in alarm(facts, name)["Metrics"] if each["ReturnData"]]
        assert watched == [list(chain(alarm(facts, name)))[-1]]


def test_what_is_missing_comes_at_once_and_what_five_minutes_did_not_need_goes(stacks: dict[str, Facts]) -> None:
    facts = stacks["latency"]
    for name, minutes, sign in (("ScaleOut", 1, 1), ("ScaleIn", 5, -1)):
        found, configuration = alarm(facts, name), policy(facts, name)["StepScalingPolicyConfiguration"]
        assert (found["EvaluationPeriods"], found["DatapointsToAlarm"], found["Threshold"]) == (minutes, minutes, 1)
        assert found["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert (configuration["AdjustmentType"], configuration["Cooldown"]) == ("ChangeInCapacity", 180)
        ends = [*(step - 1 for step in LADDER[1:]), None]
        assert steps(facts, name) == [(step - 1, end, sign * step) for step, end in zip(LADDER, ends, strict=True)]


def test_a_message_wakes_a_service_that_sleeps_without_a_function(stacks: dict[str, Facts]) -> None:
    facts = stacks["latency-asleep"]
    assert names(facts) == {"ScaleOut", "ScaleIn", "WakeUp"}
    found = alarm(facts, "WakeUp")
    assert (found["EvaluationPeriods"], found["DatapointsToAlarm"], found["Threshold"]) == (2, 2, 1)
    assert [each["MetricStat"]["Metric"]["MetricName"] for each in found["Metrics"] if "MetricStat" in each] == [
        "ApproximateNumberOfMessagesVisible",
        "NumberOfMessagesSent",
        "NumberOfMessagesReceived",
        "CPUUtilization",
    ]


def test_no_more_tasks_run_than_the_downstream_bears(stacks: dict[str, Facts]) -> None:
    # 80 a second, 0.5 s each, 10 at once.
    assert stacks["latency-asleep"].only(TARGET)["MaxCapacity"] == 4
    assert "need < 4" in chain(alarm(stacks["latency-asleep"], "ScaleOut"))["gap"]


def test_without_a_function_the_processing_time_must_be_said() -> None:
    with pytest.raises(ValueError, match=r"without the function nothing measures .*; say processing_time"):
        Scaling.for_latency(function=False)


@pytest.mark.parametrize(
    ("seconds", "min_tasks", "sentence"),
    [
        (60, 0, r"Orders: acceptable_latency is 1 min, but without the function .* set min_tasks to 1, or accept 240"),
        (239, 0, r"Orders: acceptable_latency is 239 s, but without the function .* set min_tasks to 1, or accept 240"),
    ],
)
def test_a_latency_that_cannot_be_kept_without_a_function_is_refused(
    seconds: int, min_tasks: int, sentence: str
) -> None:
    scaling = without_function(acceptable_latency=Duration.seconds(seconds), min_tasks=min_tasks)
    with pytest.raises(ValueError, match=sentence):
        scaled(scaling)(Stack())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"min_tasks": -1}, "min_tasks is -1; use 0 or more"),
        ({"min_tasks": 5, "max_tasks": 4}, r"max_tasks \(4\) must be at least 1 and not below min_tasks \(5\)"),
        ({"min_tasks": 0, "max_tasks": 0}, r"max_tasks \(0\) must be at least 1"),
    ],
)
def test_numbers_of_tasks_that_cannot_be(options: dict[str, int], sentence: str) -> None:
    for make in (Scaling.on_queue_depth, lambda **given: Scaling.on_backlog_per_task(100, **given)):
        with pytest.raises(ValueError, match=sentence):
            make(**options)


def test_a_backlog_below_one_message_is_refused() -> None:
    with pytest.raises(ValueError, match="0 messages per task cannot be reached"):
        Scaling.on_backlog_per_task(0)
