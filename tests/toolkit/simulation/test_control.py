"""Alarms and policies at work, minute by minute."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import pytest

from fargate_workers_toolkit.aws_behaviour.alarm_evaluation import MissingData
from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.aws_behaviour.step_scaling import Aggregation, Step, StepPolicy
from fargate_workers_toolkit.aws_behaviour.target_tracking import TrackingPolicy
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control, Planner
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.model import Alarm, ScaledService, ScheduledAction, Source, Tracking
from tests.toolkit.simulation.services import article, query, tracking

PROMPT = Assumptions(queue_lag=0, service_lag=0)


def desired(
    service: ScaledService, visible: Iterable[float], *, assumptions: Assumptions = PROMPT, deploying: bool = False
) -> list[int]:
    """The wanted tasks after each minute, if they all run at once."""
    control = Control(service, assumptions=assumptions)
    return [
        control.minute(
            Observation(visible=number, running=control.desired, desired=control.desired, cpu=number),
            deploying=deploying,
        )
        for number in visible
    ]


def test_an_alarm_runs_its_scaling_action_again_every_minute() -> None:
    assert desired(article(cooldowns=(0, 0)), [100, 100, 600, 2100, 50]) == [7, 9, 14, 24, 24]


def test_a_cooldown_holds_back_all_but_larger_steps() -> None:
    assert desired(article(cooldowns=(180, 180)), [100, 100, 600, 600, 600, 600, 0]) == [7, 7, 10, 10, 10, 15, 15]


def two(first: int, second: int, *, cooldown: float = 300) -> ScaledService:
    """One policy that follows the messages that wait, and another that follows those in flight; 5 tasks of 1 to 50."""
    return replace(
        article(),
        steps={
            name: StepPolicy(
                adjustment_type="ChangeInCapacity", steps=[Step(adjustment=change, lower=0)], cooldown=cooldown
            )
            for name, change in (("First", first), ("Second", second))
        },
        alarms=[
            Alarm(
                name=f"{name} alarm",
                query=query(source),
                comparison="GreaterThanOrEqualToThreshold",
                threshold=1,
                policies=[name],
            )
            for name, source in (("First", "visible"), ("Second", "in_flight"))
        ],
    )


def followed(
    service: ScaledService, minutes: Iterable[tuple[float, float]], *, assumptions: Assumptions = PROMPT
) -> list[int]:
    """The wanted tasks after minutes with so many messages that wait and in flight."""
    control = Control(service, assumptions=assumptions)
    return [
        control.minute(Observation(visible=visible, in_flight=busy, running=control.desired))
        for visible, busy in minutes
    ]


def test_each_policy_cools_down_by_itself() -> None:
    """+2 by the first; its next is not larger, but the second one's +3 is its own."""
    assert followed(two(2, 3), [(1, 0), (1, 1), (1, 1)]) == [7, 10, 10]
    assert followed(two(-1, -2), [(1, 0), (1, 1), (1, 1)]) == [4, 2, 2]


def test_a_scale_in_waits_for_the_cooldown_of_any_scale_out_unless_one_assumes_that_it_does_not() -> None:
    """Out by 2 at minute 1, so that minute 6 is the first after the cooldown."""
    minutes = [(1, 0), *[(0, 1)] * 5]
    assert followed(two(2, -1), minutes) == [7, 7, 7, 7, 7, 6]
    free = replace(PROMPT, scale_in_waits=False)
    assert followed(two(2, -1), minutes, assumptions=free) == [7, 6, 6, 6, 6, 6]


def test_a_scale_out_of_one_policy_ends_the_cooldown_of_another_ones_scale_in() -> None:
    free = replace(PROMPT, scale_in_waits=False)
    assert followed(two(2, -1), [(0, 1), (0, 1), (1, 0), (0, 1)], assumptions=free) == [4, 4, 6, 5]


def test_a_metric_that_is_late_acts_late() -> None:
    late = Assumptions(queue_lag=120)
    assert desired(article(cooldowns=(0, 0)), [100, 0, 0], assumptions=late) == [5, 5, 7]


def test_a_metric_that_is_three_minutes_late_acts_still() -> None:
    late = Assumptions(queue_lag=180)
    assert desired(article(cooldowns=(0, 0)), [100, 600, 50, 50, 50], assumptions=late) == [5, 5, 5, 7, 12]


@pytest.mark.parametrize(("aggregation", "tasks"), [("Average", 10), ("Minimum", 7), ("Maximum", 15)])
def test_steps_are_chosen_by_all_datapoints_of_the_evaluation_periods(aggregation: Aggregation, tasks: int) -> None:
    """Of 100 and 2000 the average, 1050, adds 5; the least adds 2 and the most 10."""
    service = article(cooldowns=(0, 0))
    out = replace(service.steps["Out"], aggregation=aggregation)
    deep = replace(service.alarms[0], evaluation_periods=2, datapoints_to_alarm=2)
    assert desired(replace(service, steps={"Out": out}, alarms=[deep]), [100, 2000]) == [5, tasks]


def test_where_the_aggregated_metric_is_no_breach_no_step_holds() -> None:
    """One of two datapoints is enough to alarm, but their average, 75, lies below all steps."""
    service = article(cooldowns=(0, 0))
    deep = replace(service.alarms[0], evaluation_periods=2, datapoints_to_alarm=1)
    assert desired(replace(service, alarms=[deep]), [0, 150]) == [5, 5]


def test_while_a_deployment_runs_nothing_scales_in() -> None:
    assert desired(article(cooldowns=(0, 0)), [100, 0, 0], deploying=True) == [7, 7, 7]


def test_what_blocks_a_policy_is_told_once() -> None:
    control = Control(article(cooldowns=(0, 300), bounds=(1, 5)), assumptions=PROMPT)
    for visible in (100, 100, 0, 0, 0):
        control.minute(Observation(visible=visible, running=control.desired))
    told = [(event.second, event.kind, event.name, event.detail) for event in control.events]
    assert told == [
        (60, "alarm", "Deep", "ALARM"),
        (60, "blocked", "Out", "maximum"),
        (60, "alarm", "Empty", "OK"),
        (180, "alarm", "Deep", "OK"),
        (180, "alarm", "Empty", "ALARM"),
        (180, "scaled", "In", "5 -> 4"),
        (240, "blocked", "In", "cooldown"),
    ]


def test_target_tracking_scales_out_after_three_minutes_and_in_after_fifteen() -> None:
    up = desired(tracking(10), [20] * 3)
    assert up == [1, 1, 2]
    down = desired(replace(tracking(10), initial_tasks=10), [50] * 15)
    assert down == [10] * 14 + [5]


def test_target_tracking_follows_the_example_of_the_guide() -> None:
    service = replace(tracking(100), initial_tasks=10, bounds=Bounds(1, 50))
    assert desired(service, [1500] * 3) == [10, 10, 15]


def test_target_tracking_can_scale_in_gradually() -> None:
    gradual = replace(PROMPT, tracking_scale_in="gradual")
    assert desired(replace(tracking(10), initial_tasks=20), [40] * 15, assumptions=gradual)[-1] == 18


def test_of_two_tracking_policies_the_larger_capacity_wins_and_they_do_not_add_up() -> None:
    """4 tasks at 20 a task: 8 for a target of 10, and 16 for one of 5; not 32."""
    (first,) = tracking(10, expression="visible").tracking
    first = replace(first, policy=replace(first.policy, scale_out_cooldown=0))
    second = replace(first, name="Second", policy=replace(first.policy, target=5))
    service = replace(tracking(10), initial_tasks=4, tracking=[first, second])
    assert desired(service, [20] * 3) == [4, 4, 16]
    assert desired(replace(service, tracking=[second, first]), [20] * 3) == [4, 4, 16]


def test_from_zero_one_datapoint_wakes_one_task() -> None:
    asleep = replace(tracking(10, expression="visible / IF(FILL(running, 0) < 1, 1, running)", bounds=(0, 50)))
    assert desired(replace(asleep, initial_tasks=0), [500, 500]) == [1, 1]


def test_one_message_at_a_target_of_one_never_wakes_a_service() -> None:
    # https://github.com/aws/copilot-cli/issues/3376
    asleep = tracking(1, expression="visible / IF(FILL(running, 0) < 1, 1, running)", bounds=(0, 50))
    assert desired(replace(asleep, initial_tasks=0), [1] * 60) == [0] * 60


def test_a_metric_per_running_task_is_missing_without_tasks_and_never_wakes_a_service() -> None:
    assert desired(replace(tracking(10, bounds=(0, 50)), initial_tasks=0), [500] * 60) == [0] * 60


def test_insufficient_data_scales_nothing_in() -> None:
    control = Control(replace(tracking(10), initial_tasks=10), assumptions=PROMPT)
    assert [control.minute(Observation(visible=0, running=0)) for _ in range(30)] == [10] * 30


def test_all_tracking_policies_must_agree_to_scale_in() -> None:
    both = replace(
        tracking(10),
        initial_tasks=10,
        tracking=[
            *tracking(10).tracking,
            Tracking(name="Processor", policy=TrackingPolicy(target=40), query=query("cpu")),
        ],
    )
    # The processor's metric is the number itself here: 50 is above its target, 30 below.
    assert desired(both, [50] * 2 + [38] * 20) == [10] * 22
    assert desired(both, [30] * 15)[-1] == 8


def test_scale_in_can_be_left_to_others() -> None:
    (only,) = tracking(10).tracking
    service = replace(
        tracking(10),
        initial_tasks=10,
        tracking=[replace(only, policy=replace(only.policy, scale_in_disabled=True))],
    )
    assert desired(service, [1] * 30) == [10] * 30


def test_steps_and_tracking_work_against_each_other() -> None:
    """A step scale-in is not blocked by target tracking: QueueProcessingFargateService sees-saws so."""
    tracked = Tracking(name="Processor", policy=TrackingPolicy(target=50, scale_out_cooldown=0), query=query("cpu"))
    service = replace(article(cooldowns=(0, 0)), tracking=[tracked])
    control = Control(service, assumptions=PROMPT)
    wanted = [control.minute(Observation(visible=0, running=control.desired, cpu=80)) for _ in range(6)]
    assert wanted == [4, 3, 5, 8, 13, 21]


def test_a_policy_may_start_from_the_running_tasks() -> None:
    grow = StepPolicy(adjustment_type="ChangeInCapacity", steps=[Step(adjustment=2, lower=0)], cooldown=0)
    service = replace(
        article(),
        steps={"Out": grow},
        alarms=[
            Alarm(
                name="Deep",
                query=query("visible"),
                comparison="GreaterThanOrEqualToThreshold",
                threshold=1,
                policies=["Out"],
            )
        ],
    )
    control = Control(service, assumptions=replace(PROMPT, starting_point="running"))
    assert [control.minute(Observation(visible=9, running=running)) for running in (5, 5, 7)] == [7, 7, 9]


def test_a_scheduled_action_holds_at_its_minute() -> None:
    service = replace(article(), scheduled=[ScheduledAction(name="Morning", minute=2, minimum=8)])
    assert desired(service, [1, 1, 1]) == [5, 8, 8]


@pytest.mark.parametrize(("treatment", "tasks"), [("breaching", 3), ("missing", 4), ("notBreaching", 5)])
def test_missing_data_is_treated_as_the_alarm_says(treatment: MissingData, tasks: int) -> None:
    """Two of two: breaching data alarm at once, missing data prematurely in the second minute."""
    service = article(cooldowns=(0, 0))
    empty = replace(
        service.alarms[1], query=query("cpu"), missing_data=treatment, datapoints_to_alarm=2, evaluation_periods=2
    )
    control = Control(replace(service, alarms=[empty]), assumptions=replace(PROMPT, starting_point="desired"))
    control.minute(Observation(running=5, cpu=0))
    assert control.minute(Observation(running=0)) == tasks


class _Doubling:
    """Asks for as many tasks more as messages wait."""

    def plan(self, seen: Observation, *, desired: int) -> Mapping[Source, float]:
        del desired
        return {"capacity_gap": seen.visible}


@pytest.mark.parametrize(("planner_first", "tasks"), [(False, [5, 7, 10, 10]), (True, [7, 10, 10, 10])])
def test_alarms_see_what_is_planned_a_minute_later_or_at_once(planner_first: bool, tasks: list[int]) -> None:
    grow = StepPolicy(
        adjustment_type="ChangeInCapacity",
        steps=[Step(adjustment=2, lower=0, upper=2), Step(adjustment=3, lower=2)],
        cooldown=0,
    )
    gap = Alarm(
        name="Gap",
        query=query("capacity_gap"),
        comparison="GreaterThanOrEqualToThreshold",
        threshold=1,
        policies=["Out"],
    )
    service = replace(article(), steps={"Out": grow}, alarms=[gap])
    control = Control(service, assumptions=replace(PROMPT, planner_first=planner_first), planner=_Doubling())
    assert [control.minute(Observation(visible=waiting, running=control.desired)) for waiting in (2, 3, 0, 0)] == tasks


def woken(idle_minutes: int, *, assumptions: Assumptions = PROMPT, planner: Planner | None = None) -> int:
    """How many minutes a service that sleeps takes to want a task for a message that waits."""
    service = replace(article(steps={1: 1}, bounds=(0, 5)), initial_tasks=0)
    control = Control(service, assumptions=assumptions, planner=planner)
    for _ in range(idle_minutes):
        control.minute(Observation())
    return next(minute for minute in range(1, 60) if control.minute(Observation(visible=1, sent=minute == 1)) > 0)


def test_a_queue_that_nobody_touched_for_six_hours_reports_15_minutes_late() -> None:
    assert woken(360) == 1
    assert woken(361) == 16
    assert woken(361, assumptions=replace(PROMPT, waking_lag=0)) == 1


def test_a_planner_that_reads_the_queue_keeps_it_awake() -> None:
    assert woken(600, planner=_Doubling()) == 1


def test_tasks_that_ask_a_queue_for_messages_keep_it_awake() -> None:
    control = Control(article(steps={1: 1}, cooldowns=(0, 0), bounds=(1, 9)), assumptions=PROMPT)
    for _ in range(600):
        control.minute(Observation(running=1))
    assert control.minute(Observation(visible=1, sent=1, running=1)) == 2


@pytest.mark.parametrize(("starting_point", "tasks"), [("running", 20), ("desired", 22)])
def test_a_step_starts_from_the_tasks_that_run_or_are_desired(
    starting_point: Literal["running", "desired"], tasks: int
) -> None:
    """12 more, of 8 running and 10 desired."""
    service = replace(two(12, 0), initial_tasks=10, bounds=Bounds(1, 50))
    control = Control(service, assumptions=replace(PROMPT, starting_point=starting_point))
    assert control.minute(Observation(visible=1, running=8, pending=2)) == tasks


@pytest.mark.parametrize(("starting_point", "tasks"), [("running", 12), ("desired", 20)])
def test_target_tracking_starts_from_the_tasks_that_run_or_are_desired(
    starting_point: Literal["running", "desired"], tasks: int
) -> None:
    """Twice the target: for 6 running tasks that is 12, for 10 desired ones 20."""
    service = replace(tracking(10, expression="visible"), initial_tasks=10)
    control = Control(service, assumptions=replace(PROMPT, starting_point=starting_point))
    assert [control.minute(Observation(visible=20, running=6, pending=4)) for _ in range(3)][-1] == tasks


@pytest.mark.parametrize(("starting_point", "tasks"), [("running", 20), ("desired", 20)])
def test_what_has_been_ordered_and_has_not_started_is_not_ordered_again(
    starting_point: Literal["running", "desired"], tasks: int
) -> None:
    """A gap to the running tasks stays until the new ones run: its cooldown counts them, whichever it starts from."""
    control = Control(two(10, 0, cooldown=180), assumptions=replace(PROMPT, starting_point=starting_point))
    control.minute(Observation())
    control.desired = 10
    assert [control.minute(Observation(visible=1, running=10, pending=10)) for _ in range(3)] == [tasks] * 3


def test_a_scale_out_never_lowers_what_is_desired_and_a_scale_in_never_raises_it() -> None:
    """3 running of 5 desired, and one more makes 4; 9 running of 5 desired, and one less makes 8."""
    assert Control(two(1, 0), assumptions=PROMPT).minute(Observation(visible=1, running=3, pending=2)) == 5
    assert Control(two(-1, 0), assumptions=PROMPT).minute(Observation(visible=1, running=9)) == 5


def test_while_a_deployment_runs_a_step_starts_from_the_tasks_of_both_versions() -> None:
    control = Control(two(2, 0), assumptions=PROMPT)
    assert control.minute(Observation(visible=1, running=5, pending=5), deploying=True) == 12


class _Counting:
    """Keeps what it was shown."""

    def __init__(self) -> None:
        self.running: list[int] = []

    def plan(self, seen: Observation, *, desired: int) -> Mapping[Source, float]:
        del desired
        self.running.append(seen.running)
        return {}


def test_a_planner_counts_the_tasks_that_auto_scaling_counts() -> None:
    planner = _Counting()
    control = Control(two(2, 0), assumptions=PROMPT, planner=planner)
    control.minute(Observation(running=5, pending=5))
    control.minute(Observation(running=5, pending=5), deploying=True)
    assert planner.running == [5, 10]
