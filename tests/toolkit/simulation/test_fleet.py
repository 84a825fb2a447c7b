"""Tasks that start and stop."""

from dataclasses import replace

import pytest

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.engines.fleet import Fleet

EVEN = Assumptions(launch_median=40, launch_sigma=0)


def fleet(tasks: int) -> Fleet:
    return Fleet(tasks, assumptions=EVEN, seed=0)


def test_a_task_works_some_time_after_its_launch_and_is_billed_from_then_on() -> None:
    tasks = fleet(1)
    assert tasks.want(3, 100) == 0
    assert (tasks.running, tasks.pending, tasks.next_ready) == (1, 2, 140)
    tasks.next_start()
    tasks.next_start()
    assert (tasks.running, tasks.pending) == (3, 0)
    assert tasks.billed_seconds(150) == 150 + 2 * 50


def test_what_still_starts_is_stopped_first() -> None:
    tasks = fleet(2)
    tasks.want(4, 0)
    assert tasks.want(1, 10) == 1
    tasks.stop(1, 10)
    assert (tasks.running, tasks.pending) == (1, 0)
    assert tasks.billed_seconds(20) == 2 * 10 + 10 + 20


def test_more_than_the_accounts_burst_launches_later() -> None:
    tasks = fleet(0)
    tasks.want(140, 0)
    ready = [tasks.next_start().ready for _ in range(140)]
    assert ready[:100] == [40.0] * 100
    assert ready[-1] == pytest.approx(42)


def test_a_deployment_replaces_every_task_and_ends() -> None:
    tasks = fleet(3)
    tasks.deploy(100)
    assert tasks.deploying
    for _ in range(3):
        assert tasks.next_start().replaces
        tasks.stop(1, 140)
    assert (tasks.running, tasks.pending, tasks.deploying) == (3, 0, False)
    assert tasks.billed_seconds(200) == 3 * 200 + 3 * 40


def test_scaling_in_leaves_the_new_tasks_of_a_deployment_alone() -> None:
    tasks = fleet(3)
    tasks.deploy(0)
    assert tasks.want(2, 10) == 1
    assert tasks.pending == 3


def test_a_task_that_fails_to_start_is_launched_again_after_a_pause_and_billed_from_then_on() -> None:
    """Each start takes 40 s. After one failure it succeeds at 40 + 60 + 40, after two at 140 + 120 + 40."""
    tasks = Fleet(0, assumptions=replace(EVEN, failed_starts=0.5), seed=0)
    tasks.want(100, 0)
    starts = [tasks.next_start() for _ in range(100)]
    at = [round(start.ready) for start in starts]
    assert at[0] == 40
    assert set(at) <= {40, 140, 300, 580, 1100, 2100, 3760, 5420, 7080}
    assert 30 < at.count(40) < 70
    assert {round(start.ready - start.launched) for start in starts} == {40}


def test_only_tasks_beyond_those_on_demand_are_taken_back() -> None:
    tasks = Fleet(100, assumptions=replace(EVEN, spot_interruptions=60), seed=0)
    assert tasks.interrupted(spot_from=90) == 10
    assert tasks.interrupted(spot_from=100) == 0
    assert fleet(100).interrupted(spot_from=0) == 0


def test_tasks_on_spot_are_taken_back_as_often_as_assumed() -> None:
    tasks = Fleet(100, assumptions=replace(EVEN, spot_interruptions=0.5), seed=0)
    assert sum(tasks.interrupted(spot_from=0) for _ in range(600)) == pytest.approx(0.5 * 100 * 10, rel=0.15)
