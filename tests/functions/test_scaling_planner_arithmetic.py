"""The plan: what a worker's queue, tasks and last minutes ask for."""

import math
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fargate_workers_planner.arithmetic import (
    DRAIN,
    HISTORY,
    STANDING,
    UNNEEDED,
    Mode,
    Observation,
    Plan,
    Policy,
    is_stuck,
    loads_of,
    plan,
    seconds_per_message,
)
from fargate_workers_planner.inferred_work import work_of_queue
from fargate_workers_planner.steps import LADDER

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
    assert plan(POLICY, observation(desired=10, load=9.5)) == Plan(
        desired_tasks=10, gap_out=0, gap_in=0, backlog_seconds=0, reason="steady"
    )


def test_a_rate_above_the_capacity_adds_nothing_while_the_queue_bears_it() -> None:
    seen = observation(desired=10, load=12, visible=600)

    assert plan(POLICY, seen).gap_out == 0
    assert plan(POLICY, replace(seen, visible=1_200)).reason == "more load"


@pytest.mark.parametrize("load", [4, 7, 10])
def test_the_tasks_settle_at_the_load_with_a_third_of_the_latency_waiting(load: int) -> None:
    standing = STANDING["balanced"] * (300 - 0.5) * load
    # Below that no task more is missed, and a fifth of a task beyond.
    below, beyond = ((standing + (part - 0.2) * 450) / 0.5 for part in (0, 0.5))

    assert plan(POLICY, observation(desired=load, load=load, visible=below)).gap_out == 0
    assert plan(POLICY, observation(desired=load, load=load, visible=beyond + 200)).gap_out == 1


def test_a_short_burst_is_left_to_the_queue() -> None:
    # Half a task more than there are, for a minute: the messages wait for half a minute.
    seen = observation(desired=4, visible=100, arrivals=minutes(3, 4.5))

    assert plan(POLICY, seen).gap_out == 0


def test_a_jump_that_stays_is_followed_within_the_latency() -> None:
    jumped = [
        plan(POLICY, observation(desired=4, arrivals=minutes(3, *[30] * since))).desired_tasks for since in range(6)
    ]

    assert jumped == sorted(jumped)
    assert jumped[0] <= 4
    assert jumped[-1] >= (1 - STANDING["balanced"]) * 30


def test_the_slower_tasks_start_the_sooner_they_are_added() -> None:
    seen = observation(desired=10, load=12, visible=1_200)
    slow = replace(POLICY, launch_latency=180)

    assert plan(slow, seen).gap_out > plan(POLICY, seen).gap_out


@pytest.mark.parametrize("mode", ["balanced", "cost"])
def test_where_tasks_start_too_late_to_help_some_are_kept_for_twice_the_load(mode: Mode) -> None:
    # Until more help, 14 tasks work off what comes while the load doubles: 60 s is how long the last message waits.
    hasty = replace(POLICY, acceptable_latency=60, mode=mode)
    kept = plan(hasty, observation(desired=40, load=10)).desired_tasks

    assert kept == math.ceil(10 * 2 * 150 / (60 + 150))
    assert plan(hasty, observation(desired=10, load=10)).desired_tasks in (kept, kept + 1)
    assert (20 - 2 * kept / 2) * 150 / kept <= 1.1 * 60


HASTY = replace(POLICY, acceptable_latency=120)


def test_where_there_is_no_time_to_see_whether_a_jump_stays_it_is_followed_at_once() -> None:
    jumped = observation(desired=4, load=3, visible=400, arrivals=minutes(3, 30))

    planned = plan(HASTY, jumped)
    assert planned.desired_tasks == math.ceil(30 + 400 * 0.5 / 60)
    assert planned.reason == "no time to wait"
    assert plan(POLICY, jumped).gap_out == 3


def test_a_jump_that_the_running_tasks_bear_adds_none_whatever_the_latency() -> None:
    assert plan(HASTY, observation(desired=20, load=3, visible=40, arrivals=minutes(3, 15))).gap_out == 0


def test_with_a_short_latency_the_highest_load_of_five_minutes_stays() -> None:
    fallen = [plan(HASTY, observation(desired=12, arrivals=minutes(10, *[2] * since))) for since in range(8)]

    # A load is the mean of two minutes: one of them is half high.
    assert [planned.desired_tasks for planned in fallen] == [12] * 5 + [math.ceil(1.15 * 6), math.ceil(1.15 * 2)] + [3]


def test_near_the_most_tasks_the_queue_is_kept_short() -> None:
    """What the most tasks could not work off in time must not wait."""
    seen = observation(desired=40, load=40, visible=6_000)

    assert plan(POLICY, seen).gap_out == 6
    assert plan(replace(POLICY, max_tasks=500), seen).gap_out == 0


def test_the_longer_messages_may_wait_the_longer_a_burst_is_left_to_the_queue() -> None:
    seen = observation(desired=4, visible=500, arrivals=minutes(3, 15))
    patient = replace(POLICY, acceptable_latency=3_600)

    assert plan(POLICY, seen).gap_out > 0
    assert plan(patient, seen).gap_out == 0


# What waits


def test_a_backlog_is_worked_off_before_it_is_too_old() -> None:
    planned = plan(POLICY, observation(desired=1, load=0, visible=6_000))

    # But for what the running task does in the next minute, in most of what is left of 300 s after 150 s.
    assert planned.desired_tasks == math.ceil((6_000 * 0.5 - 60) / (DRAIN * (299.5 - 150)))
    assert planned.reason == "work waits"
    assert planned.backlog_seconds == 3_000


def test_late_messages_add_half_of_the_tasks_at_a_time() -> None:
    seen = observation(desired=20, load=9, visible=4_000, oldest_age=290)

    assert plan(POLICY, replace(seen, oldest_age=0.8 * 300)).gap_out == 0
    assert plan(POLICY, seen).desired_tasks == 31
    assert plan(POLICY, seen).reason == "messages are late"


def test_no_more_tasks_are_added_than_messages_are_there_or_will_come() -> None:
    policy = replace(POLICY, processing_time=3_600)

    assert plan(policy, observation(desired=1, load=0, visible=3, in_flight=1)).desired_tasks == 4


def test_concurrency_divides_the_work() -> None:
    one_at_once = replace(POLICY, processing_time=0.5, acceptable_latency=295.5)
    ten_at_once = replace(POLICY, concurrency=10, processing_time=5)
    seen = observation(desired=10, load=12, visible=1_200, in_flight=0)

    assert not is_stuck(replace(ten_at_once), replace(seen, in_flight=34))
    assert (
        plan(ten_at_once, replace(seen, in_flight=100)).gap_out
        == plan(one_at_once, replace(seen, in_flight=10)).gap_out
    )


def test_measured_work_replaces_the_guess() -> None:
    seen = observation(desired=10, load=8, visible=500)

    assert plan(POLICY, seen).gap_out == 0
    assert plan(POLICY, replace(seen, work=[(2.0 * 900, 900.0)] * 10)).desired_tasks > 30


def test_the_backlog_is_told_in_seconds_of_the_running_tasks() -> None:
    assert plan(POLICY, observation(visible=200, desired=10, running=4)).backlog_seconds == 25
    assert plan(POLICY, observation(visible=200, desired=10, running=0)).backlog_seconds == 100


# Removing tasks


def test_less_load_removes_tasks_down_to_it() -> None:
    planned = plan(POLICY, observation(desired=20, load=10))

    assert (planned.gap_out, planned.gap_in, planned.desired_tasks) == (0, -10, 10)
    assert planned.reason == "less load"


@pytest.mark.parametrize(("load", "after"), [(1, 4), (5, 6), (8, 14)])
def test_the_larger_a_surplus_the_sooner_it_goes(load: float, after: int) -> None:
    # Of the load of 10, the mean of five minutes keeps something for as long.
    fallen = (observation(desired=10, arrivals=minutes(10, *[load] * since)) for since in range(60))

    assert next(since for since, seen in enumerate(fallen) if plan(POLICY, seen).gap_in) == after


def test_a_surplus_below_a_twelfth_stays() -> None:
    policy = replace(POLICY, max_tasks=500)
    assert plan(policy, observation(desired=38, load=35, arrivals=[35 * A_TASK] * HISTORY)).gap_in == 0
    assert plan(policy, observation(desired=39, load=35, arrivals=[35 * A_TASK] * HISTORY)).gap_in == -4


def test_near_the_most_tasks_a_surplus_stays_for_longer() -> None:
    seen = observation(desired=47, arrivals=minutes(47, *[33] * 12))
    assert plan(POLICY, seen).gap_in == 0
    assert plan(replace(POLICY, max_tasks=500), seen).gap_in < 0


def test_a_drained_backlog_releases_its_tasks_at_once() -> None:
    draining = observation(desired=40, load=5, visible=6_000)

    assert plan(POLICY, draining).desired_tasks == math.ceil(5 + 6_000 * 0.5 / 449.5 - UNNEEDED)
    assert plan(POLICY, replace(draining, visible=0)).desired_tasks == 5


def test_a_queue_that_was_quiet_for_three_minutes_keeps_the_fewest_tasks() -> None:
    quiet = observation(desired=20, in_flight=0, arrivals=minutes(10, 0, 0, 0))

    assert plan(POLICY, quiet).desired_tasks == 1
    assert plan(POLICY, quiet).reason == "queue is quiet"
    for other in ({"in_flight": 1}, {"arrivals": minutes(10, 0, 0)}, {"arrivals": minutes(10, 0, None, 0)}):
        assert plan(POLICY, replace(quiet, **other)).desired_tasks > 1


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


def test_cost_mode_lets_messages_wait_for_longer_and_keeps_a_surplus_for_less() -> None:
    cheap = replace(POLICY, mode="cost")
    rising, falling = (
        observation(desired=10, load=12, visible=1_200),
        observation(desired=10, arrivals=minutes(10, 7, 7, 7, 7, 7, 7)),
    )

    assert (plan(POLICY, rising).gap_out, plan(cheap, rising).gap_out) == (1, 0)
    assert (plan(POLICY, falling).gap_in, plan(cheap, falling).gap_in) == (0, -3)


# What is not known


@pytest.mark.parametrize("arrivals", [[], [None] * 40, [A_TASK] * 30 + [None] * 5])
def test_without_arrivals_no_task_is_removed(arrivals: list[float | None]) -> None:
    planned = plan(POLICY, observation(desired=20, arrivals=arrivals))

    assert (planned.gap_out, planned.gap_in) == (0, 0)


def test_without_arrivals_a_backlog_still_adds_tasks() -> None:
    planned = plan(POLICY, observation(desired=10, arrivals=[], visible=6_000))

    assert (planned.desired_tasks, planned.reason) == (20, "work waits")
    assert planned.desired_tasks == math.ceil((3_000 - 10 * 60) / (DRAIN * (299.5 - 150)) + 8 * 0.5 / (DRAIN * 149.5))


def test_a_missing_minute_is_left_out_of_the_mean() -> None:
    assert list(loads_of([120.0, None, 240.0, None], window=4, task_seconds=0.5)) == [1.5, 1.5, 1.0, 1.0]
    assert plan(POLICY, observation(desired=20, arrivals=minutes(10, 10, None, 10, None))).desired_tasks == 10


def test_the_newest_window_must_have_an_arrival_to_count() -> None:
    assert list(loads_of([120.0, None, None], window=2, task_seconds=0.5)) == []


def test_loads_of_many_minutes_take_as_many_steps_as_there_are_minutes() -> None:
    class Counted(list[float | None]):
        read = 0

        def __getitem__(self, index: Any) -> Any:
            found = super().__getitem__(index)
            self.read += len(found) if isinstance(index, slice) else 1
            return found

    arrivals = Counted([float(minute) for minute in range(80)])
    loads = loads_of(arrivals, window=30, task_seconds=60.0)
    assert next(loads) == sum(range(50, 80)) / 30
    assert arrivals.read <= 30
    assert len(list(loads)) == 49
    assert arrivals.read <= 30 + 2 * 50


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
    launch_latency=st.floats(1, 1_000),
    starting_point=st.sampled_from(["running", "desired"]),
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


@settings(deadline=None)
@given(policies, observations)
def test_every_plan_is_finite_whole_and_one_way(policy: Policy, seen: Observation) -> None:
    planned = plan(policy, seen)

    assert math.isfinite(planned.backlog_seconds)
    assert planned.gap_in <= 0 <= planned.gap_out
    assert 0 in (planned.gap_in, planned.gap_out)
    start = seen.running if policy.starting_point == "running" else seen.desired
    if planned.gap_out or planned.gap_in:
        assert start + planned.gap_out + planned.gap_in == planned.desired_tasks
    assert all(type(value) is int for name, value in asdict(planned).items() if name.startswith("gap"))


@settings(deadline=None)
@given(policies, observations)
def test_no_plan_leaves_the_bounds(policy: Policy, seen: Observation) -> None:
    planned = plan(policy, seen)

    assert planned.desired_tasks <= policy.max_tasks or planned.desired_tasks == seen.desired == policy.min_tasks
    assert planned.desired_tasks >= min(policy.min_tasks, seen.desired)
    if planned.desired_tasks > seen.desired:
        assert policy.min_tasks <= planned.desired_tasks <= policy.max_tasks


@settings(deadline=None)
@given(policies, observations, st.integers(0, 10**6))
def test_more_backlog_never_plans_fewer_tasks(policy: Policy, seen: Observation, more: int) -> None:
    later = replace(seen, visible=seen.visible + more)
    assume(not is_stuck(policy, later))
    assert plan(policy, later).desired_tasks >= plan(policy, seen).desired_tasks


@settings(deadline=None)
@given(policies, st.floats(0, 40), st.integers(0, 40))
def test_at_rest_there_is_no_gap(policy: Policy, load: float, spare: int) -> None:
    """A load that has not changed, and just the room that it needs: from then on nothing moves."""
    policy = replace(policy, processing_time=0.5, concurrency=1, max_downstream_rate=None, max_tasks=200)
    seen = observation(desired=max(policy.min_tasks, math.ceil(load)) + spare, load=load)
    rested = plan(policy, seen)
    settled = replace(seen, desired=rested.desired_tasks, running=rested.desired_tasks)

    assert plan(policy, settled).gap_in == plan(policy, settled).gap_out == 0


@settings(deadline=None)
@given(policies, observations)
def test_without_arrivals_only_a_broken_limit_removes_tasks(policy: Policy, seen: Observation) -> None:
    planned = plan(policy, replace(seen, arrivals=[None] * 40))

    assert planned.gap_in == 0 or planned.reason == "at the limit"


@settings(deadline=None)
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


def test_how_long_messages_take_is_inferred_from_their_queue() -> None:
    assert seconds_per_message(work_of_queue([20.0] * 5, [600.0] * 5)) == 2


def test_nothing_is_inferred_from_a_queue_that_has_just_begun_to_move() -> None:
    assert not any(work_of_queue([0.0, 0.0, 20.0, 20.0], [0.0, 0.0, 60.0, 600.0]))


def test_nothing_is_inferred_from_a_minute_that_half_is_missing() -> None:
    assert work_of_queue([5.0, None, 5.0, 5.0], [60.0, 60.0, None, 60.0]) == [None] * 4
    assert work_of_queue([5.0, None, 5.0, 5.0], [60.0, 60.0, 60.0, 60.0]) == [(300, 60), None, (300, 60), (300, 60)]


# Tasks that take nothing


def test_none_is_added_where_messages_wait_beside_tasks_that_do_not_take_them() -> None:
    """Five groups of a FIFO queue, or tasks that end before they work."""
    blocked = observation(desired=20, visible=9_000, in_flight=5, oldest_age=200, arrivals=minutes(10, 15))

    assert plan(POLICY, blocked).gap_out == 0
    assert plan(POLICY, blocked).reason == "messages are not taken"
    assert plan(POLICY, replace(blocked, oldest_age=1_000)).gap_out == 0
    assert plan(POLICY, replace(blocked, in_flight=19)).gap_out > 0


def test_messages_that_have_waited_for_longer_than_a_start_find_no_task_that_lives() -> None:
    looping = observation(desired=3, running=0, visible=9_000, in_flight=0, oldest_age=400)

    assert plan(POLICY, looping).desired_tasks == 3
    assert plan(POLICY, replace(looping, oldest_age=30)).desired_tasks > 3


def test_one_task_between_two_messages_is_no_task_that_takes_none() -> None:
    between = observation(desired=1, load=1, visible=9_000, in_flight=0, oldest_age=10)

    assert plan(POLICY, between).gap_out > 0
    assert plan(POLICY, replace(between, oldest_age=100)).gap_out == 0


def test_a_service_that_sleeps_is_woken_whatever_is_in_flight() -> None:
    asleep = replace(POLICY, min_tasks=0)

    assert plan(asleep, observation(desired=0, visible=900, in_flight=0, oldest_age=900)).gap_out > 0


def test_fewer_tasks_than_the_least_are_added_to_though_none_takes_anything() -> None:
    assert (
        plan(replace(POLICY, min_tasks=5), observation(desired=2, visible=900, in_flight=0, oldest_age=900)).gap_out
        == 3
    )


# A FIFO queue's groups


FIFO = replace(POLICY, concurrency=10)


def fifo(*, desired: int, groups: float, **changes: Any) -> Observation:
    """A backlog that grows old while so many groups are in flight; the tasks hold more messages than groups."""
    waiting = Observation(
        visible=50_000,
        in_flight=desired * 40,
        desired=desired,
        running=desired,
        oldest_age=240,
        arrivals=[1_200.0] * 40,
        groups=[groups] * 10,
    )
    return replace(waiting, **changes)


def test_a_standard_queue_gets_what_its_backlog_needs() -> None:
    assert plan(FIFO, replace(fifo(desired=5, groups=10), groups=())).gap_out > 3


def test_tasks_with_places_for_which_there_is_no_group_are_no_reason_for_more() -> None:
    seen = replace(fifo(desired=5, groups=30), groups=[10, 20, 30])

    planned = plan(FIFO, seen)

    assert (planned.gap_out, planned.gap_in, planned.reason) == (0, 0, "groups are taken")


def test_tasks_that_found_no_group_for_some_minutes_go() -> None:
    planned = plan(FIFO, fifo(desired=5, groups=12))

    assert (planned.desired_tasks, planned.gap_in, planned.reason) == (2, -3, "groups are taken")


@pytest.mark.parametrize(("groups", "tasks"), [(50, 10), (70, 14)])
def test_while_every_place_has_a_group_twice_as_many_are_tried(groups: int, tasks: int) -> None:
    assert plan(FIFO, fifo(desired=5, groups=groups)).desired_tasks == tasks


@pytest.mark.parametrize(
    "changes",
    [
        {"oldest_age": 60},  # the count is of a time when nothing waited
        {"oldest_age": None},
        {"groups": [10.0, None, None, None]},
        {"groups": [0.0] * 10},
    ],
)
def test_a_count_that_proves_nothing_changes_nothing(changes: dict[str, Any]) -> None:
    seen = replace(fifo(desired=5, groups=10), **changes)

    assert plan(FIFO, seen) == plan(FIFO, replace(seen, groups=()))


def test_the_least_tasks_stay_however_few_groups_there_are() -> None:
    assert plan(replace(FIFO, min_tasks=4), fifo(desired=5, groups=1)).desired_tasks == 4


@given(
    groups=st.lists(st.one_of(st.none(), st.floats(0, 5_000)), max_size=12),
    desired=st.integers(0, 50),
    visible=st.integers(0, 100_000),
    age=st.one_of(st.none(), st.floats(0, 4_000)),
)
def test_groups_never_add_a_task(groups: list[float | None], desired: int, visible: int, age: float | None) -> None:
    seen = fifo(desired=desired, groups=1, visible=visible, oldest_age=age)

    with_groups = plan(FIFO, replace(seen, groups=groups))

    assert with_groups.desired_tasks <= plan(FIFO, replace(seen, groups=())).desired_tasks
    assert FIFO.min_tasks <= with_groups.desired_tasks <= max(FIFO.max_tasks, desired)


# What Auto Scaling adds to


def test_a_gap_is_one_to_the_tasks_that_run_because_auto_scaling_adds_to_those() -> None:
    seen = observation(desired=10, running=6, load=10, visible=4_000)
    tasks = plan(POLICY, seen).desired_tasks

    assert tasks > 10
    assert plan(POLICY, seen).gap_out == tasks - 6
    assert plan(replace(POLICY, starting_point="desired"), seen).gap_out == tasks - 10


def test_tasks_on_their_way_are_no_gap() -> None:
    assert plan(POLICY, observation(desired=10, running=2, load=9.5)).gap_out == 0


def test_while_both_versions_of_a_deployment_run_only_what_exceeds_both_is_added() -> None:
    seen = observation(desired=10, running=20, load=12, visible=1_500)

    assert plan(POLICY, seen).desired_tasks > 10
    assert plan(POLICY, seen).gap_out == 0
    assert (
        plan(POLICY, replace(seen, visible=30_000, in_flight=20)).gap_out
        == plan(POLICY, replace(seen, visible=30_000, in_flight=20)).desired_tasks - 20
    )
