"""The plan: what a worker's queue, tasks and last minutes ask for."""

import math
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_planner.arithmetic import (
    HISTORY,
    LADDER,
    Observation,
    Plan,
    Policy,
    loads_of,
    plan,
    seconds_per_message,
    work_of_queue,
)

# A message is half a second of one task's work: 120 a minute keep one task busy.
POLICY = Policy(acceptable_latency=300, processing_time=0.5, max_tasks=50)
A_TASK = 120.0


def observation(*, desired: int = 10, load: float = 8, **changes: Any) -> Observation:
    """A worker in the midst of a steady load, given as the tasks that it keeps busy."""
    steady = Observation(
        visible=0, in_flight=round(load), desired=desired, running=desired, oldest_age=0, arrivals=[load * A_TASK] * 40
    )
    return replace(steady, **changes)


def minutes(*loads: float | None) -> list[float | None]:
    """Arrivals that kept so many tasks busy, after half an hour like the first of them."""
    return [None if load is None else load * A_TASK for load in (*loads[:1] * 30, *loads)]


# What arrives


def test_a_fleet_with_enough_room_is_left_alone() -> None:
    assert plan(POLICY, observation(desired=10, load=9)) == Plan(
        desired_tasks=10, gap_out=0, gap_in=0, backlog_seconds=0, reason="steady"
    )


def test_a_rate_above_the_capacity_adds_nothing_while_patience_lasts() -> None:
    seen = observation(desired=10, load=12, visible=600)

    assert plan(POLICY, seen).gap_out == 0
    assert plan(POLICY, replace(seen, visible=1_200)).reason == "more load"


def test_out_of_patience_the_load_and_what_waits_ask_for_tasks() -> None:
    planned = plan(POLICY, observation(desired=10, load=12, visible=1_200))

    assert planned.gap_out == 12 + 1_200 * 0.5 / 150 - 10
    assert planned.desired_tasks == 16


def test_a_short_burst_is_left_to_the_queue() -> None:
    # Half a task more than there are, for a minute: the messages wait for half a minute.
    seen = observation(desired=4, visible=100, arrivals=minutes(3, 4.5))

    assert plan(POLICY, seen).gap_out == 0


def test_a_jump_of_the_rate_that_would_break_the_budget_counts_at_once() -> None:
    planned = plan(POLICY, observation(desired=4, visible=1_000, arrivals=minutes(3, 30)))

    assert planned.reason == "rate jumped"
    assert planned.desired_tasks == math.ceil(30 + 1_000 * 0.5 / 150)


def test_the_longer_messages_may_wait_the_longer_a_burst_is_left_to_the_queue() -> None:
    seen = observation(desired=4, visible=500, arrivals=minutes(3, 15))
    patient = replace(POLICY, acceptable_latency=3_600)

    assert plan(POLICY, seen).gap_out > 0
    assert plan(patient, seen).gap_out == 0


# What waits


def test_a_backlog_is_worked_off_before_it_is_too_old() -> None:
    planned = plan(POLICY, observation(desired=1, load=0, visible=6_000))

    assert planned.desired_tasks == math.ceil(6_000 * 0.5 / (300 - 150))
    assert planned.reason == "work waits"
    assert planned.backlog_seconds == 3_000


def test_late_messages_hurry_by_half_of_the_tasks_at_a_time() -> None:
    seen = observation(desired=10, load=9, visible=4_000, oldest_age=290)

    assert plan(POLICY, replace(seen, oldest_age=None)).desired_tasks == math.ceil(9 + 2_000 / 150)
    assert plan(POLICY, replace(seen, desired=20)).desired_tasks == 31
    assert plan(POLICY, replace(seen, desired=20)).reason == "messages are late"


def test_no_more_tasks_are_added_than_messages_are_there_or_will_come() -> None:
    policy = replace(POLICY, processing_time=3_600)

    assert plan(policy, observation(desired=1, load=0, visible=3, in_flight=1)).desired_tasks == 4


def test_concurrency_divides_the_work() -> None:
    ten_at_once = replace(POLICY, concurrency=10, processing_time=5)
    seen = observation(desired=10, load=12, visible=1_200)

    assert plan(ten_at_once, seen) == plan(POLICY, seen)


def test_measured_work_replaces_the_guess() -> None:
    seen = observation(desired=10, load=8, visible=500)

    assert plan(POLICY, seen).gap_out == 0
    assert plan(POLICY, replace(seen, work=[(2.0 * 900, 900.0)] * 10)).desired_tasks == math.ceil(32 + 500 * 2 / 150)


def test_the_backlog_is_told_in_seconds_of_the_running_tasks() -> None:
    assert plan(POLICY, observation(visible=200, desired=10, running=4)).backlog_seconds == 25
    assert plan(POLICY, observation(visible=200, desired=10, running=0)).backlog_seconds == 100


# Removing tasks


def test_less_load_removes_tasks_down_to_some_room() -> None:
    planned = plan(POLICY, observation(desired=20, load=10))

    assert (planned.gap_out, planned.gap_in, planned.desired_tasks) == (0, -8, 12)
    assert planned.reason == "less load"


@pytest.mark.parametrize(("load", "after"), [(1, 7), (5, 9), (9, 32)])
def test_the_larger_a_surplus_the_sooner_it_goes(load: float, after: int) -> None:
    # Twelve tasks are enough for a load of 10, of which the mean of five minutes keeps something for as long.
    fallen = (observation(desired=12, arrivals=minutes(10, *[load] * since)) for since in range(60))

    assert next(since for since, seen in enumerate(fallen) if plan(POLICY, seen).gap_in) == after


def test_a_surplus_below_a_twentieth_stays() -> None:
    assert plan(POLICY, observation(desired=43, load=35, arrivals=[35 * A_TASK] * HISTORY)).gap_in == 0
    assert plan(POLICY, observation(desired=44, load=35, arrivals=[35 * A_TASK] * HISTORY)).gap_in == -3


def test_a_drained_backlog_releases_its_tasks_at_once() -> None:
    draining = observation(desired=40, load=5, visible=6_000)

    assert plan(POLICY, draining).desired_tasks == math.ceil(5 * 1.15 + 6_000 * 0.5 / 150)
    assert plan(POLICY, replace(draining, visible=0)).desired_tasks == 6


def test_a_queue_that_was_quiet_for_three_minutes_keeps_the_fewest_tasks() -> None:
    quiet = observation(desired=20, in_flight=0, arrivals=minutes(10, 0, 0, 0))

    assert plan(POLICY, quiet).desired_tasks == 1
    assert plan(POLICY, quiet).reason == "queue is quiet"
    assert plan(POLICY, replace(quiet, in_flight=1)).desired_tasks == 12
    assert plan(POLICY, replace(quiet, arrivals=minutes(10, 0, 0))).desired_tasks == 12
    assert plan(POLICY, replace(quiet, arrivals=minutes(10, 0, None, 0))).desired_tasks == 12


# From and to zero

RARE = replace(POLICY, min_tasks=0, processing_time=20)


def test_the_first_message_wakes_a_sleeping_worker() -> None:
    assert plan(RARE, observation(desired=0, load=0)).desired_tasks == 0
    assert plan(RARE, observation(desired=0, load=0, visible=1)).desired_tasks == 1
    assert plan(RARE, Observation(visible=1, in_flight=0, desired=0, running=0)).desired_tasks == 1


def test_the_last_task_stays_while_anything_is_in_flight() -> None:
    seen = observation(desired=1, load=0, in_flight=1)

    assert plan(RARE, seen).desired_tasks == 1
    assert plan(RARE, replace(seen, in_flight=0)).desired_tasks == 0


def test_the_last_task_stays_while_messages_came_lately() -> None:
    seen = observation(desired=1, in_flight=0, arrivals=[0.0] * 37 + [1.0, 0.0, 0.0])

    assert plan(RARE, seen).desired_tasks == 1
    assert plan(RARE, replace(seen, arrivals=[*seen.arrivals, 0.0])).desired_tasks == 0


# Limits


def test_the_bounds_are_kept() -> None:
    assert plan(POLICY, observation(desired=10, visible=1_000_000)).desired_tasks == 50
    assert plan(replace(POLICY, min_tasks=5), observation(desired=20, load=0)).desired_tasks == 5
    assert plan(POLICY, observation(desired=51, visible=1_000_000)).desired_tasks == 50
    assert plan(replace(POLICY, min_tasks=5), observation(desired=3, load=1)).gap_out == 2


def test_tasks_that_the_limit_withholds_are_told() -> None:
    assert plan(POLICY, observation(desired=50, load=49, visible=100_000)).reason == "at the limit"


def test_the_downstream_rate_limits_the_tasks() -> None:
    gentle = replace(POLICY, max_downstream_rate=20)

    assert plan(gentle, observation(desired=2, visible=100_000)).desired_tasks == 10
    assert plan(gentle, observation(desired=20, visible=100_000)).desired_tasks == 10


def test_a_downstream_limit_between_two_numbers_of_tasks_moves_none() -> None:
    wandering = replace(POLICY, max_downstream_rate=20.4)
    busy = observation(desired=11, load=12, visible=100_000)

    assert plan(wandering, busy).desired_tasks == 11
    assert plan(wandering, replace(busy, desired=10)).desired_tasks == 10


def test_a_downstream_rate_below_one_task_still_lets_one_work() -> None:
    assert plan(replace(POLICY, max_downstream_rate=0.1), observation(desired=5, visible=100_000)).desired_tasks == 1


# Cheaper


def test_cost_mode_waits_longer_and_leaves_no_room() -> None:
    cheap = replace(POLICY, mode="cost")
    rising = observation(desired=10, load=12, visible=2_000)

    assert (plan(POLICY, rising).gap_out, plan(cheap, rising).gap_out) == (9, 0)
    assert plan(cheap, observation(desired=20, load=10)).desired_tasks == 10


# What is not known


@pytest.mark.parametrize("arrivals", [[], [None] * 40, [A_TASK] * 30 + [None] * 5])
def test_without_arrivals_no_task_is_removed(arrivals: list[float | None]) -> None:
    planned = plan(POLICY, observation(desired=20, arrivals=arrivals))

    assert (planned.gap_out, planned.gap_in) == (0, 0)


def test_without_arrivals_a_backlog_still_adds_tasks() -> None:
    planned = plan(POLICY, observation(desired=10, arrivals=[], visible=6_000))

    assert (planned.desired_tasks, planned.reason) == (20, "work waits")


def test_a_missing_minute_is_left_out_of_the_mean() -> None:
    assert list(loads_of([120.0, None, 240.0, None], window=4, task_seconds=0.5)) == [1.5, 1.5, 1.0, 1.0]
    assert plan(POLICY, observation(desired=20, arrivals=minutes(10, 10, None, 10, None))).desired_tasks == 12


def test_the_newest_window_must_have_an_arrival_to_count() -> None:
    assert list(loads_of([120.0, None, None], window=2, task_seconds=0.5)) == []


def test_seconds_per_message_come_from_the_newest_minutes_that_suffice() -> None:
    assert seconds_per_message([]) is None
    assert seconds_per_message([None, (0.0, 0.0)]) is None
    assert seconds_per_message([(900.0, 10.0), (30.0, 60.0), (30.0, 60.0), (30.0, 60.0)]) == 0.5
    assert seconds_per_message([(20.0, 1.0), None, (40.0, 1.0)]) == 30


# Properties

counts = st.floats(0, 1e7, allow_nan=False)
policies = st.builds(
    Policy,
    acceptable_latency=st.floats(0, 1e5),
    processing_time=st.floats(0, 1e4),
    concurrency=st.integers(1, 100),
    min_tasks=st.integers(0, 5),
    max_tasks=st.integers(5, 500),
    max_downstream_rate=st.none() | st.floats(0, 1e4),
    mode=st.sampled_from(["balanced", "cost"]),
)
observations = st.builds(
    Observation,
    visible=st.integers(0, 10**7),
    in_flight=st.integers(0, 120_000),
    oldest_age=st.none() | st.floats(0, 1e6),
    desired=st.integers(0, 600),
    running=st.integers(0, 600),
    arrivals=st.lists(st.none() | counts, max_size=45),
    work=st.lists(st.none() | st.tuples(counts, st.integers(0, 10**7)), max_size=45),
)


@given(policies, observations)
def test_every_plan_is_finite_whole_and_one_way(policy: Policy, seen: Observation) -> None:
    planned = plan(policy, seen)

    assert math.isfinite(planned.backlog_seconds)
    assert planned.gap_in <= 0 <= planned.gap_out
    assert 0 in (planned.gap_in, planned.gap_out)
    assert planned.desired_tasks == seen.desired + planned.gap_out + planned.gap_in
    assert all(type(value) is int for name, value in asdict(planned).items() if name.startswith("gap"))


@given(policies, observations)
def test_no_plan_leaves_the_bounds(policy: Policy, seen: Observation) -> None:
    planned = plan(policy, seen)

    assert planned.desired_tasks <= policy.max_tasks or planned.desired_tasks == seen.desired == policy.min_tasks
    assert planned.desired_tasks >= min(policy.min_tasks, seen.desired)
    if planned.gap_out:
        assert policy.min_tasks <= planned.desired_tasks <= policy.max_tasks


@given(policies, observations, st.integers(0, 10**6))
def test_more_backlog_never_plans_fewer_tasks(policy: Policy, seen: Observation, more: int) -> None:
    assert plan(policy, replace(seen, visible=seen.visible + more)).desired_tasks >= plan(policy, seen).desired_tasks


@given(policies, st.floats(0, 40), st.integers(0, 40))
def test_at_rest_there_is_no_gap(policy: Policy, load: float, spare: int) -> None:
    """A load that has not changed, and just the room that it needs: from then on nothing moves."""
    policy = replace(policy, processing_time=0.5, concurrency=1, max_downstream_rate=None, max_tasks=200)
    seen = observation(desired=max(policy.min_tasks, math.ceil(load)) + spare, load=load)
    rested = plan(policy, seen)
    settled = replace(seen, desired=rested.desired_tasks, running=rested.desired_tasks)

    assert rested.gap_out == 0
    assert plan(policy, settled).gap_in == plan(policy, settled).gap_out == 0


@given(policies, observations)
def test_without_arrivals_only_a_broken_limit_removes_tasks(policy: Policy, seen: Observation) -> None:
    planned = plan(policy, replace(seen, arrivals=[None] * 40))

    assert planned.gap_in == 0 or planned.reason == "at the limit"


@given(policies, observations, st.integers(2, 9))
def test_work_and_concurrency_scale_together(policy: Policy, seen: Observation, factor: int) -> None:
    """Only their ratio counts, as long as no message takes longer than the acceptable latency."""
    one = replace(policy, acceptable_latency=300, processing_time=0.25, concurrency=1)
    many = replace(one, processing_time=0.25 * factor, concurrency=factor)
    seen = replace(seen, work=(), in_flight=10**6)

    assert plan(many, seen).desired_tasks == pytest.approx(plan(one, seen).desired_tasks, abs=1)


# The ladder


def test_the_ladder_fits_into_one_policy_and_reaches_every_gap_in_few_minutes() -> None:
    assert len(LADDER) <= 20
    assert list(LADDER) == sorted(set(LADDER))
    assert LADDER[0] == 1

    def minutes_to_close(gap: int) -> int:
        looks = 0
        while gap:
            gap -= max(step for step in LADDER if step <= gap)
            looks += 1
        return looks

    assert max(map(minutes_to_close, range(1, 51))) <= 3
    assert max(map(minutes_to_close, range(1, 501))) <= 5


def test_a_queue_betrays_how_long_its_messages_take() -> None:
    assert seconds_per_message(work_of_queue([20.0] * 5, [600.0] * 5)) == 2


def test_a_queue_that_has_just_begun_to_move_betrays_nothing() -> None:
    assert not any(work_of_queue([0.0, 0.0, 20.0, 20.0], [0.0, 0.0, 60.0, 600.0]))


def test_a_minute_that_half_is_missing_betrays_nothing() -> None:
    assert work_of_queue([5.0, None, 5.0, 5.0], [60.0, 60.0, None, 60.0]) == [None] * 4
    assert work_of_queue([5.0, None, 5.0, 5.0], [60.0, 60.0, 60.0, 60.0]) == [(300, 60), None, (300, 60), (300, 60)]
