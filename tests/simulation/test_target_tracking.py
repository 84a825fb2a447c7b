"""Target tracking, by AWS's examples and by what others have observed."""

import pytest

from benchmarks.scaling.documented import TARGET_TRACKING, Example
from fargate_workers_toolkit.semantics.cooldown import Activity, Bounds, Outcome
from fargate_workers_toolkit.semantics.target_tracking import TrackingPolicy, scale_in, scale_out

BOUNDS = Bounds(0, 100)
POLICY = TrackingPolicy(target=100)


def out(metric: float, current: int, *, moment: float = 0, last: Activity | None = None) -> Outcome:
    return scale_out(POLICY, metric=metric, current=current, bounds=BOUNDS, moment=moment, last=last)


def into(wishes: list[tuple[TrackingPolicy, float]], current: int, last: Activity | None = None) -> Outcome:
    return scale_in(wishes, current=current, bounds=BOUNDS, moment=0, last=last)


@pytest.mark.parametrize("example", TARGET_TRACKING, ids=lambda example: example.name)
def test_every_documented_example_comes_out(example: Example) -> None:
    assert example.calculate() == example.documented


def test_the_defaults_are_those_of_the_alarms_that_aws_makes() -> None:
    policy = TrackingPolicy.from_template({"TargetValue": "50"})
    assert (policy.target, policy.high_periods, policy.low_periods, policy.low_ratio) == (50, 3, 15, 0.9)
    assert (policy.scale_out_cooldown, policy.scale_in_cooldown, policy.scale_in_disabled) == (300, 300, False)


def test_a_template_says_the_rest() -> None:
    policy = TrackingPolicy.from_template(
        {"TargetValue": 5, "ScaleOutCooldown": 60, "ScaleInCooldown": "90", "DisableScaleIn": True}
    )
    assert (policy.scale_out_cooldown, policy.scale_in_cooldown, policy.scale_in_disabled) == (60, 90, True)


def test_a_metric_at_the_target_never_wakes_a_service_without_tasks() -> None:
    # https://github.com/aws/copilot-cli/issues/3376
    assert out(100, 0).capacity == 0


def test_while_it_cools_down_what_was_added_counts() -> None:
    last = out(150, 10).activity
    assert out(150, 15, moment=60, last=last) == Outcome(15, blocked="cooldown")
    assert out(180, 15, moment=60, last=last).capacity == 18


def test_scaling_in_is_proportional_or_a_tenth_at_a_time() -> None:
    assert into([(POLICY, 25)], 20).capacity == 5
    assert into([(POLICY.shrinking("gradual"), 25)], 20).capacity == 18
    assert into([(POLICY.shrinking("gradual"), 25)], 5).capacity == 4


def test_of_several_policies_that_agree_the_largest_capacity_wins() -> None:
    assert into([(POLICY, 25), (TrackingPolicy(target=50), 40)], 20).capacity == 16


def test_without_agreement_nothing_scales_in() -> None:
    assert into([], 20).capacity == 20


def test_a_scale_in_waits_for_its_cooldown() -> None:
    assert into([(POLICY, 25)], 20, last=Activity(base=30, capacity=20, until=10)).blocked == "cooldown"


@pytest.mark.parametrize(("metric", "tasks"), [(100.0001, 11), (100.0, 10), (300, 30)])
def test_a_scale_out_rounds_up(metric: float, tasks: int) -> None:
    assert POLICY.capacity_after(10, metric) == tasks
