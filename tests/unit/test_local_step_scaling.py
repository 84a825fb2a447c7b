"""Step policies, by the examples of the Application Auto Scaling user guide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_toolkit.local.arithmetic.step_scaling import Activity, Step, StepPolicy, desired_capacity

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


def decide(policy: StepPolicy, difference: float, current: int, *, moment: float = 1000, last: Activity | None = None):
    return desired_capacity(
        policy, difference=difference, current=current, minimum=0, maximum=10, moment=moment, last=last
    )


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


@pytest.mark.parametrize(
    ("capacity", "percent", "after"),
    [(10, 10, 11), (10, 25, 12), (10, -25, 8), (10, 1, 11), (10, -1, 9), (100, 10, 110), (10, 0, 10)],
)
def test_percentages_round_as_documented(capacity: int, percent: int, after: int) -> None:
    policy = StepPolicy(adjustment_type="PercentChangeInCapacity", steps=[])
    assert policy.capacity_after(capacity, Step(adjustment=percent)) == after


def test_a_minimum_magnitude_makes_small_percentages_larger() -> None:
    policy = StepPolicy(adjustment_type="PercentChangeInCapacity", steps=[], minimum_magnitude=2)
    assert policy.capacity_after(4, Step(adjustment=25)) == 6


def test_an_exact_capacity_is_what_it_says() -> None:
    waking = StepPolicy(adjustment_type="ExactCapacity", steps=[Step(adjustment=1, lower=0)])
    assert decide(waking, 0, 0) == 1


def test_while_a_scale_out_cools_down_what_it_added_counts_as_part_of_a_larger_one() -> None:
    last = Activity(moment=990, before=1, after=3)
    assert decide(GROWING, 0, 3, last=last) == 3
    assert decide(GROWING, 400, 3, last=last) == 6
    assert decide(GROWING, 400, 3, moment=1050, last=last) == 8


def test_nothing_scales_in_while_something_cools_down() -> None:
    assert decide(SHRINKING, 0, 3, last=Activity(moment=701, before=1, after=3)) == 3
    assert decide(SHRINKING, 0, 3, last=Activity(moment=701, before=4, after=3)) == 3
    assert decide(SHRINKING, 0, 3, last=Activity(moment=700, before=4, after=3)) == 2


def test_a_scale_out_goes_at_once_while_a_scale_in_cools_down() -> None:
    assert decide(GROWING, 0, 3, last=Activity(moment=999, before=4, after=3)) == 5


def test_the_targets_bounds_hold() -> None:
    assert decide(GROWING, 400, 8) == 10
    assert decide(SHRINKING, 0, 0) == 0


@given(difference=st.floats(-1e6, 1e6), current=st.integers(0, 10), before=st.integers(0, 10), ago=st.floats(0, 600))
def test_a_growing_policy_never_shrinks(difference: float, current: int, before: int, ago: float) -> None:
    last = Activity(moment=1000 - ago, before=before, after=current)
    assert decide(GROWING, difference, current, last=last) >= current
