"""Target tracking, by AWS's examples and by what others have observed."""

import pytest

from benchmarks.scaling.documented import TARGET_TRACKING, Example
from fargate_workers_toolkit.aws_behaviour.cooldown import Activity, Bounds, Cooldowns, Outcome
from fargate_workers_toolkit.aws_behaviour.target_tracking import (
    Reading,
    Tracked,
    TrackingPolicy,
    scale_in,
    scale_out,
    track,
)

BOUNDS = Bounds(0, 100)
POLICY = TrackingPolicy(target=100)


def out(metric: float, current: int, *, moment: float = 0, last: Activity | None = None) -> Outcome:
    return scale_out(POLICY, metric=metric, current=current, bounds=BOUNDS, moment=moment, last=last)


def into(metric: float, current: int, *, policy: TrackingPolicy = POLICY, last: Activity | None = None) -> Outcome:
    return scale_in(policy, metric=metric, current=current, bounds=BOUNDS, moment=0, last=last)


def together(*tracked: Tracked, current: int = 20) -> tuple[str, Outcome] | None:
    return track(tracked, cooldowns=Cooldowns(), current=current, bounds=BOUNDS, moment=0)


def high(name: str, metric: float, policy: TrackingPolicy = POLICY) -> Tracked:
    return Tracked(name, policy, high=Reading(True, metric), low=Reading(False, metric))


def low(name: str, metric: float, policy: TrackingPolicy = POLICY) -> Tracked:
    return Tracked(name, policy, high=Reading(False, metric), low=Reading(True, metric))


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
    gradual = POLICY.shrinking("gradual")
    assert into(25, 20).capacity == 5
    assert into(25, 20, policy=gradual).capacity == 18
    assert into(25, 5, policy=gradual).capacity == 4


def test_a_scale_in_waits_for_its_cooldown() -> None:
    assert into(25, 20, last=Activity(base=30, capacity=20, until=10)).blocked == "cooldown"


def test_any_policy_scales_out_and_the_largest_capacity_wins() -> None:
    decided = together(high("some", 150), high("more", 200), low("none", 25))
    assert decided is not None
    assert (decided[0], decided[1].capacity) == ("more", 40)


def test_of_several_policies_that_agree_the_largest_capacity_wins() -> None:
    decided = together(low("deep", 25), low("shallow", 40, TrackingPolicy(target=50)))
    assert decided is not None
    assert (decided[0], decided[1].capacity) == ("shallow", 16)


def test_without_agreement_nothing_scales_in() -> None:
    idle = Tracked("idle", POLICY, high=Reading(False, 95), low=Reading(False, 95))
    assert together(low("deep", 25), idle) is None
    assert together() is None


def test_while_one_policy_asks_for_more_in_vain_another_takes_nothing_away() -> None:
    # The largest capacity wins, and the one at the maximum is larger, whether it may scale in or not.
    never = TrackingPolicy(target=100, scale_in_disabled=True)
    decided = together(high("out", 150, never), low("in", 25), current=BOUNDS.maximum)
    assert decided == ("out", Outcome(BOUNDS.maximum, blocked="maximum"))


def test_the_first_datapoint_wakes_a_service_without_tasks() -> None:
    waking = Tracked("wakes", POLICY, high=Reading(False, 150), low=Reading(False, 150))
    decided = together(waking, current=0)
    assert decided is not None
    assert decided[1].capacity == 1


@pytest.mark.parametrize(("metric", "tasks"), [(100.0001, 11), (100.0, 10), (300, 30)])
def test_a_scale_out_rounds_up(metric: float, tasks: int) -> None:
    assert POLICY.capacity_after(10, metric) == tasks
