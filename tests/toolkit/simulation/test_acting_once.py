"""A gap is acted on once, whatever comes after it: CloudWatch goes on by the last datapoint of a metric that stops."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from aws_cdk import Duration

from fargate_workers import Scaling
from fargate_workers_toolkit.aws_behaviour.alarm_evaluation import EXTRA_DATAPOINTS, evaluate
from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds, Cooldowns
from fargate_workers_toolkit.aws_behaviour.step_scaling import scale_by_steps
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.model import ScaledService, Source
from tests.toolkit.simulation.synthesized import synthesized

MISSING = 5


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScaledService]:
    half = Duration.millis(500)
    scalings = {
        "planned": Scaling.for_latency(max_tasks=50),
        "slow": Scaling.for_latency(max_tasks=50, launch_latency=Duration.minutes(3)),
        "math": Scaling.for_latency(function=False, processing_time=half, max_tasks=50),
        "asleep": Scaling.for_latency(function=False, processing_time=half, min_tasks=0, max_tasks=50),
        "steps": Scaling.on_queue_depth(max_tasks=50),
        "sleepy": Scaling.on_queue_depth(min_tasks=0, max_tasks=50),
        "backlog": Scaling.on_backlog_per_task(10, min_tasks=0, max_tasks=50),
    }
    return synthesized(scalings, tmp_path_factory.mktemp("cdk.out"))


EVERY_POLICY = [
    *[(name, policy) for name in ("planned", "slow", "math") for policy in ("ScaleOut", "ScaleIn")],
    *[("asleep", policy) for policy in ("ScaleOut", "ScaleIn", "WakeUp")],
    # Steps add again while a depth stays: it is no gap.
    *[("sleepy", policy) for policy in ("ScaleIn", "WakeUp", "Sleep")],
    ("steps", "ScaleIn"),
    ("backlog", "WakeUp"),
]


@pytest.mark.parametrize("starts", ["running", "desired"])
@pytest.mark.parametrize(("name", "policy"), EVERY_POLICY)
def test_after_a_gap_and_five_missing_minutes_the_capacity_has_changed_once(
    services: dict[str, ScaledService], name: str, policy: str, starts: str
) -> None:
    """With each policy's own alarm, and tasks that run a minute after they are asked for."""
    service = services[name]
    alarm = next(each for each in service.alarms if policy in each.policies[0])
    steps = service.steps[alarm.policies[0]]
    gap = alarm.threshold + (6 if alarm.comparison.startswith("Greater") else -6)
    datapoints = [gap] * alarm.evaluation_periods + [None] * MISSING
    cooldowns, capacities = Cooldowns(), [20, 20]
    for minute in range(alarm.evaluation_periods, len(datapoints) + 1):
        state = evaluate(
            datapoints[max(0, minute - alarm.evaluation_periods - EXTRA_DATAPOINTS) : minute],
            comparison=alarm.comparison,
            threshold=alarm.threshold,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints_to_alarm,
            missing_data=alarm.missing_data,
        )
        before, running = capacities[-1], capacities[-2]
        if state == "ALARM":
            outcome = scale_by_steps(
                steps,
                difference=gap - alarm.threshold,
                current=before,
                bounds=Bounds(0, 100),
                moment=60 * minute,
                last=cooldowns.last(policy),
                start=running if starts == "running" else None,
            )
            if outcome.activity is not None:
                cooldowns.begin(policy, outcome.activity)
            before = outcome.capacity
        capacities.append(before)

    assert sum(before != after for before, after in pairwise(capacities)) == 1


class Once:
    """Publishes one gap, and is dead from then on."""

    def __init__(self, gap: Mapping[Source, float]) -> None:
        self._coming = [gap]

    def plan(self, seen: Observation, *, desired: int) -> Mapping[Source, float]:
        del seen, desired
        return self._coming.pop() if self._coming else {}


@pytest.mark.parametrize("starting_point", ["running", "desired"])
@pytest.mark.parametrize("planner_first", [False, True])
@pytest.mark.parametrize("late", [0, 1, 2, 3])
@pytest.mark.parametrize(("gap", "tasks"), [({"capacity_gap": 10.0}, 20), ({"capacity_gap_in": -5.0}, 5)])
def test_a_planner_that_dies_leaves_one_change(
    services: dict[str, ScaledService],
    gap: Mapping[Source, float],
    tasks: int,
    late: int,
    planner_first: bool,
    starting_point: str,
) -> None:
    """`late`: minutes until a task that was added runs."""
    service = replace(services["planned"], initial_tasks=10)
    assumptions = replace(Assumptions(planner_first=planner_first), starting_point=starting_point)
    control = Control(service, assumptions=assumptions, planner=Once(gap))
    wanted = [10] * 4
    for _ in range(15):
        running = min(wanted[-1 - late], wanted[-1])
        wanted.append(control.minute(Observation(running=running, pending=wanted[-1] - running, desired=wanted[-1])))
    assert [after for before, after in pairwise(wanted) if after != before] == [tasks]
