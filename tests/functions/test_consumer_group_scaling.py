"""Scaling by the lag of a consumer group: by metrics alone, evenly over the partitions, and calm about rebalances."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_planner.arithmetic import HISTORY, Observation, Policy, plan
from fargate_workers_planner.backlog import arrivals_of_backlog, split_backlog
from fargate_workers_planner.partitions import settled, spread_evenly, useful_tasks
from fargate_workers_planner.settings import workers
from fargate_workers_planner.sources import ConsumerGroup, Observed

GROUP = ConsumerGroup(cluster="events", topic="orders", group="apply", partitions=12)
POLICY = Policy(acceptable_latency=300, processing_time=1, concurrency=1, min_tasks=1, max_tasks=12)
NAMES = ("lag", "age", "own", "planned", "handled", "duplicate", "poisoned")


def found(**minutes: Sequence[float | None]) -> dict[str, list[float | None]]:
    """The minutes of a group's metrics; those not named have no datapoint, and what is short ends with the newest."""
    return {
        name: [None] * (HISTORY - len(minutes.get(name, ()))) + list(minutes.get(name, ()))
        for name in (*NAMES, "waiting", "flying")
    }


def test_only_the_least_number_of_tasks_for_each_number_of_partitions_is_of_use() -> None:
    assert useful_tasks(24) == (1, 2, 3, 4, 5, 6, 8, 12, 24)
    assert useful_tasks(1) == (1,)
    # By divisors alone, seven partitions would leap from one task to seven.
    assert useful_tasks(7) == (1, 2, 3, 4, 7)


@given(partitions=st.integers(1, 500), tasks=st.integers(1, 600), most=st.integers(1, 600), least=st.integers(0, 20))
def test_no_task_is_without_a_partition_and_none_is_needless(
    partitions: int, tasks: int, most: int, least: int
) -> None:
    most, least = min(most, partitions), min(least, most, partitions)
    chosen = spread_evenly(tasks, partitions=partitions, min_tasks=least, max_tasks=most)

    assert least <= chosen <= most
    share = -(-partitions // chosen)
    # With one task less the largest share would grow, unless as many always run.
    assert chosen <= max(least, 1) or -(-partitions // (chosen - 1)) > share
    # As fast as what was asked for, where so many may run.
    assert share <= -(-partitions // min(tasks, most))


@pytest.mark.parametrize("divisor", [1, 2, 3, 4, 6, 8, 12, 24])
def test_a_divisor_is_kept_as_it_is(divisor: int) -> None:
    assert spread_evenly(divisor, partitions=24, min_tasks=1, max_tasks=24) == divisor


def test_a_service_may_sleep() -> None:
    assert spread_evenly(0, partitions=12, min_tasks=0, max_tasks=12) == 0


def seen(**given: Any) -> Observation:
    return Observation(**{"visible": 0, "in_flight": 0, "desired": 4, "running": 4, **given})


def asked(tasks: int, observation: Observation) -> Any:
    wanted = plan(POLICY, observation)
    wanted.desired_tasks = tasks
    return wanted


def test_a_plan_is_rounded_up_to_an_even_spread() -> None:
    now = seen()
    even = settled(asked(5, now), POLICY, now, partitions=12, earlier=[4] * 5, rebalances=False)

    assert (even.desired_tasks, even.gap_out, even.gap_in) == (6, 2, 0)


@pytest.mark.parametrize("minutes_ago", [1, 2])
def test_within_three_minutes_of_a_change_there_is_no_other(minutes_ago: int) -> None:
    now = seen(desired=6, running=6)
    calm = settled(asked(12, now), POLICY, now, partitions=12, earlier=[4] * 5 + [6] * minutes_ago, rebalances=False)

    assert (calm.desired_tasks, calm.gap_out, calm.gap_in) == (6, 0, 0)
    assert calm.reason == "group is rebalancing"


def test_after_three_minutes_there_may_be_another() -> None:
    now = seen(desired=6, running=6)
    plan = settled(asked(12, now), POLICY, now, partitions=12, earlier=[4, 6, 6, 6], rebalances=False)

    assert (plan.desired_tasks, plan.gap_out) == (12, 6)


def test_a_change_that_no_alarm_has_seen_is_published_until_it_is_reached() -> None:
    now = seen(desired=4, running=4)
    plan = settled(asked(12, now), POLICY, now, partitions=12, earlier=[4, 4, 6], rebalances=False)

    assert (plan.desired_tasks, plan.gap_out) == (6, 2)


def test_while_the_group_rebalances_its_tasks_stay() -> None:
    now = seen()
    for tasks in (1, 12):
        calm = settled(asked(tasks, now), POLICY, now, partitions=12, earlier=[4] * 5, rebalances=True)
        assert (calm.desired_tasks, calm.gap_out, calm.gap_in) == (4, 0, 0)


def test_the_lag_is_what_waits_and_what_is_in_flight() -> None:
    looked = GROUP.look(found(lag=[500.0, 700.0], age=[30.0, 40.0], handled=[60.0, 60.0]), sqs=None)

    assert (looked.visible, looked.in_flight, looked.oldest_age) == (700, None, 40)
    assert looked.arrivals[-2:] == [None, 260]
    assert split_backlog(700, running=4, concurrency=10) == (660, 40)
    assert split_backlog(7, running=4, concurrency=10) == (0, 7)


def test_where_msk_is_silent_the_tasks_own_lag_is_taken() -> None:
    looked = GROUP.look(found(lag=[500.0, None, None, None, None], own=[480.0, 490.0, 600.0, 650.0, 700.0]), sqs=None)

    assert looked.visible == 700


def test_a_short_silence_of_msk_is_a_rebalance_and_a_long_one_is_not() -> None:
    now = seen(visible=5_000.0)
    for silence, tasks in ((6, 4), (11, 12)):
        minutes = found(lag=[5_000.0] + [None] * silence, own=[5_000.0] * (silence + 1), planned=[4.0] * 20)
        assert GROUP.settle(asked(12, now), POLICY, now, minutes).desired_tasks == tasks


def test_before_the_first_commit_one_task_stays_whatever_may_sleep() -> None:
    looked = GROUP.look(found(), sqs=None)
    sleeping = Policy(acceptable_latency=300, processing_time=1, min_tasks=0, max_tasks=12)
    observation = Observation(visible=looked.visible, in_flight=0, desired=0, running=0, arrivals=looked.arrivals)

    assert plan(sleeping, observation).desired_tasks == 1


def test_what_is_not_known_at_all_is_no_plan() -> None:
    with pytest.raises(LookupError, match=r"Neither MSK nor a task has reported a lag of apply on orders\."):
        GROUP.look(found(lag=[500.0] + [None] * 20), sqs=None)


def test_what_came_is_what_the_backlog_grew_by_and_what_was_finished() -> None:
    assert arrivals_of_backlog([100, 90, 90], [None, 50, 60]) == [None, 40, 60]
    # Commits come late: a minute in which the backlog shrank by more than was reported brought nothing.
    assert arrivals_of_backlog([100, 10], [0, 50]) == [None, 0]
    assert arrivals_of_backlog([None, None], [1, 1]) == [None, None]


def test_a_stream_is_what_its_observer_published() -> None:
    stream = Observed(source="data/Orders/apply")
    minutes = found(waiting=[10.0, 30.0], flying=[5.0, 5.0], age=[3.0, 8.0], handled=[0.0, 40.0])
    looked = stream.look(minutes, sqs=None)

    assert (looked.visible, looked.in_flight, looked.oldest_age) == (30, 5, 8)
    assert looked.arrivals[-1] == 60


def test_a_stream_that_nobody_observes_has_no_plan() -> None:
    with pytest.raises(LookupError, match=r"The observer has published nothing of data/Orders/apply for 3 minutes\."):
        Observed(source="data/Orders/apply").look(found(waiting=[10.0, None, None, None]), sqs=None)


def test_the_event_names_each_kind_of_source() -> None:
    rest = {"cluster": "c", "service": "s", "policy": {"acceptable_latency": 300, "processing_time": 1}}
    kafka = {"cluster": "events", "topic": "orders", "group": "apply", "partitions": 12}
    group, stream = workers(
        {
            "workers": [
                {"worker": "Apply", "kafka": kafka, **rest},
                {"worker": "Ship", "redis": {"source": "data/Orders/ship"}, **rest},
            ]
        }
    )

    assert (group.source, stream.source) == (GROUP, Observed(source="data/Orders/ship"))
    # More tasks help only once the group has shared its partitions anew.
    assert group.policy.launch_latency == stream.policy.launch_latency + 20
