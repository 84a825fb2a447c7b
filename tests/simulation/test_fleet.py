"""Tasks that start and stop."""

import pytest

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.fleet import Fleet

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
