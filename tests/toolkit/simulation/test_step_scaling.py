"""Step policies, by the examples of the Application Auto Scaling user guide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scaling.documented import STEP_SCALING, Example
from fargate_workers_toolkit.aws_behaviour.cooldown import Activity, Bounds, Outcome
from fargate_workers_toolkit.aws_behaviour.step_scaling import Step, StepPolicy, scale_by_steps

GROWING = StepPolicy.from_template(
    {
        "AdjustmentType": "ChangeInCapacity",
        "Cooldown": 60,
        "StepAdjustments": [
            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 400, "ScalingAdjustment": 2},
            {"MetricIntervalLowerBound": "400", "ScalingAdjustment": "5"},
        ],
    }
)
SHRINKING = StepPolicy(adjustment_type="ChangeInCapacity", steps=[Step(adjustment=-1, upper=0)])
PERCENT = "PercentChangeInCapacity"


def outcome(
    policy: StepPolicy,
    difference: float,
    current: int,
    *,
    moment: float = 1000,
    last: Activity | None = None,
    scale_in_waits: bool = True,
) -> Outcome:
    return scale_by_steps(
        policy,
        difference=difference,
        current=current,
        bounds=Bounds(0, 20),
        moment=moment,
        last=last,
        scale_in_waits=scale_in_waits,
    )


def decide(
    policy: StepPolicy, difference: float, current: int, *, moment: float = 1000, last: Activity | None = None
) -> int:
    return outcome(policy, difference, current, moment=moment, last=last).capacity


@pytest.mark.parametrize(("difference", "adjustment"), [(0, 2), (399, 2), (400, 5), (10**6, 5), (-1, None)])
def test_above_the_threshold_a_lower_bound_is_inclusive(difference: float, adjustment: int | None) -> None:
    step = GROWING.step_for(difference)
    assert (step and step.adjustment) == adjustment


@pytest.mark.parametrize(("difference", "adjustment"), [(0, -1), (-9, -1), (-10, -2), (-50, -2), (1, None)])
def test_below_the_threshold_an_upper_bound_is_inclusive(difference: float, adjustment: int | None) -> None:
    steps = [Step(adjustment=-1, lower=-10, upper=0), Step(adjustment=-2, upper=-10)]
    step = StepPolicy(adjustment_type="ChangeInCapacity", steps=steps).step_for(difference)
    assert (step and step.adjustment) == adjustment


def test_a_policy_without_a_cooldown_cools_for_300_seconds() -> None:
    policy = StepPolicy.from_template({"AdjustmentType": "ExactCapacity", "StepAdjustments": []})
    assert policy.cooldown == 300


@pytest.mark.parametrize("example", STEP_SCALING, ids=lambda example: example.name)
def test_every_example_of_the_user_guide_comes_out_as_documented(example: Example) -> None:
    assert example.calculate() == example.documented


@pytest.mark.parametrize(
    ("capacity", "percent", "after"),
    [(10, 10, 11), (10, 25, 12), (10, -25, 8), (10, 1, 11), (10, -1, 9), (100, 10, 110), (10, 0, 10)],
)
def test_percentages_round_as_documented(capacity: int, percent: int, after: int) -> None:
    policy = StepPolicy(adjustment_type=PERCENT, steps=[])
    assert policy.capacity_after(capacity, Step(adjustment=percent)) == after


def test_an_exact_capacity_is_what_it_says() -> None:
    waking = StepPolicy(adjustment_type="ExactCapacity", steps=[Step(adjustment=1, lower=0)])
    assert decide(waking, 0, 0) == 1


def test_2_more_and_then_3_more_while_cooling_make_3_more_in_all() -> None:
    steps = [Step(adjustment=2, lower=0, upper=10), Step(adjustment=3, lower=10)]
    policy = StepPolicy(adjustment_type="ChangeInCapacity", steps=steps, cooldown=300)
    first = outcome(policy, 0, 10, moment=0)
    second = outcome(policy, 10, first.capacity, moment=60, last=first.activity)
    third = outcome(policy, 10, second.capacity, moment=120, last=second.activity)
    later = outcome(policy, 10, second.capacity, moment=400, last=second.activity)
    assert [first.capacity, second.capacity, third.capacity, later.capacity] == [12, 13, 13, 16]
    assert third.blocked == "cooldown"


def test_while_a_scale_out_cools_down_only_a_larger_one_passes() -> None:
    last = Activity(base=1, capacity=3, until=1050)
    assert decide(GROWING, 0, 3, last=last) == 3
    assert decide(GROWING, 400, 3, last=last) == 6
    assert decide(GROWING, 400, 3, moment=1050, last=last) == 8


def test_nothing_scales_in_while_something_cools_down() -> None:
    grown, shrunk = Activity(base=1, capacity=3, until=1001), Activity(base=4, capacity=3, until=1001)
    assert outcome(SHRINKING, 0, 3, last=grown) == Outcome(3, blocked="cooldown")
    assert outcome(SHRINKING, 0, 3, last=shrunk) == Outcome(3, blocked="cooldown")
    assert decide(SHRINKING, 0, 3, moment=1001, last=shrunk) == 2


def test_scale_in_can_be_let_past_a_scale_outs_cooldown() -> None:
    grown, shrunk = Activity(base=1, capacity=3, until=1001), Activity(base=4, capacity=3, until=1001)
    assert outcome(SHRINKING, 0, 3, last=grown, scale_in_waits=False).capacity == 2
    assert outcome(SHRINKING, 0, 3, last=shrunk, scale_in_waits=False).capacity == 3


def test_a_scale_out_goes_at_once_while_a_scale_in_cools_down_and_ends_its_cooldown() -> None:
    shrunk = Activity(base=4, capacity=3, until=1299)
    assert outcome(GROWING, 0, 3, last=shrunk) == Outcome(5, Activity(base=3, capacity=5, until=1060))


def test_the_targets_bounds_hold() -> None:
    assert decide(GROWING, 400, 18) == 20
    assert outcome(GROWING, 400, 20) == Outcome(20, blocked="maximum")
    assert outcome(SHRINKING, 0, 0) == Outcome(0, blocked="minimum")


@given(difference=st.floats(-1e6, 1e6), current=st.integers(0, 20), base=st.integers(0, 20), left=st.floats(-600, 600))
def test_a_growing_policy_never_shrinks(difference: float, current: int, base: int, left: float) -> None:
    last = Activity(base=base, capacity=current, until=1000 + left)
    assert decide(GROWING, difference, current, last=last) >= current
