"""The deployed planner's own arithmetic, scored on the built-in loads: 300 s of acceptable latency, 1 to 50 tasks."""

from statistics import mean

import pytest

from benchmarks.scaling.contestants import CONTESTANTS, OURS, most_tasks
from benchmarks.scaling.five_loads import (
    MOST_AVOIDABLE_MISSES,
    MOST_REVERSALS,
    MOST_TASK_HOURS,
    SERVER_LOADS,
    Score,
    results,
    score,
)
from benchmarks.scaling.services import for_latency
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.model import Queue
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

ByLoad = dict[str, list[Result]]


@pytest.fixture(scope="module")
def ours() -> ByLoad:
    return results(CONTESTANTS[OURS])


@pytest.fixture(scope="module")
def unavoidable() -> ByLoad:
    return results(most_tasks)


@pytest.fixture(scope="module")
def scored(ours: ByLoad, unavoidable: ByLoad) -> Score:
    return score(ours, unavoidable=unavoidable)


@pytest.mark.parametrize("name", SERVER_LOADS)
def test_no_message_is_too_old_that_could_have_been_in_time(ours: ByLoad, unavoidable: ByLoad, name: str) -> None:
    only = {name: ours[name]}
    # When an outage begins, what waits is lost.
    most = MOST_AVOIDABLE_MISSES if name == "outage" else 0
    assert round(score(only, unavoidable=unavoidable).avoidable_misses, 3) <= most


def test_the_server_loads_take_1080_task_hours_at_most(scored: Score) -> None:
    assert scored.task_hours <= MOST_TASK_HOURS


def test_the_fleet_turns_around_64_times_a_day_at_most(scored: Score) -> None:
    assert scored.reversals <= MOST_REVERSALS


def test_a_protected_task_is_never_killed_amid_a_message(ours: ByLoad) -> None:
    assert sum(result.killed for of_load in ours.values() for result in of_load) == 0


def test_a_drip_wakes_the_service_in_time_and_lets_it_sleep_again() -> None:
    sleepy = for_latency(processing_time=20, min_tasks=0, queue=Queue(visibility_timeout=120))
    # A day has 288 messages, of which one alone is 0.35 %: more days than for the server loads.
    drips = [simulate(sleepy, built_in("drip", seed=seed), slo=300, seed=seed) for seed in range(6)]
    assert mean(result.missed_percent for result in drips) <= 0.2
    assert mean(result.task_hours for result in drips) <= 16.2  # KEDA with a queue length of 10
