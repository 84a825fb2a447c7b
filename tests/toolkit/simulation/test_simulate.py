"""What a team is told."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.built_in import BUILT_IN, built_in
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import PlannerUse, Task
from fargate_workers_toolkit.simulation.result import Prices, reversals
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from tests.toolkit.simulation.services import article, fixed

HOUR = 3600
STILL = Assumptions(service_times="fixed", launch_sigma=0)


def waves(heights: Sequence[int], *, minutes: int = 20, work: float = 0.5) -> Load:
    arrivals = np.repeat(np.array(heights, dtype=np.int64), minutes * 60)
    return Load(name="waves", arrivals=arrivals, work_seconds=work)


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_a_result_is_plain_json(engine: Engine) -> None:
    result = simulate(article(), waves([5, 40, 5]), slo=60, engine=engine)
    told = json.loads(json.dumps(result.as_json()))
    assert told["engine"] == engine
    assert told["sent"] == 60_000
    assert told["minutes"]["desired"] == result.minutes.desired
    assert told["events"][0] == {"second": 120, "kind": "alarm", "name": "Deep", "detail": "OK"}
    assert {"p50", "p99", "oldest", "missed_percent", "task_hours", "cost", "killed", "expired"} < told.keys()


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_the_same_seed_tells_the_same(engine: Engine) -> None:
    results = [simulate(article(), waves([5, 40, 5]), slo=60, engine=engine, seed=3).as_json() for _ in range(2)]
    assert results[0] == results[1]


def test_what_a_task_costs_is_its_size_and_its_time() -> None:
    service = fixed(2, task=Task(vcpus=1, gibibytes=4))
    result = simulate(service, waves([1] * 3), slo=60, prices=Prices(vcpu_hour=0.04, gibibyte_hour=0.005))
    assert result.task_hours == pytest.approx(2)
    assert result.cost == pytest.approx(2 * (0.04 + 4 * 0.005))


def test_what_is_left_and_too_old_is_missed_too() -> None:
    result = simulate(fixed(1), waves([4] * 3), slo=60, assumptions=STILL)
    # Half of it can be done. What arrives from the second minute on waits for more than a minute, done or left.
    assert result.left == pytest.approx(2 * HOUR, rel=0.01)
    assert result.missed == pytest.approx(4 * (HOUR - 120), rel=0.01)
    assert result.oldest == pytest.approx(HOUR / 2, rel=0.01)


@pytest.mark.parametrize("engine", ["fluid", "exact"])
def test_the_age_of_the_oldest_is_told_every_minute_whatever_the_policies_follow(engine: Engine) -> None:
    ages = simulate(fixed(1), waves([4]), slo=60, assumptions=STILL, engine=engine).minutes.oldest_age
    # Of 4 messages a second 2 are done: what is next has waited for half the time.
    assert ages == pytest.approx([30 * minute for minute in range(1, 21)], abs=3)


def test_reversals_count_changes_of_direction() -> None:
    assert reversals([1, 1, 2, 5, 5, 4, 4, 3, 6, 6]) == 2
    assert reversals([3]) == 0


def test_time_at_the_maximum_is_told() -> None:
    result = simulate(article(bounds=(1, 5)), waves([40]), slo=60)
    assert (result.peak, result.seconds_at_maximum) == (5, 1200)


@pytest.mark.parametrize("slo", [0, -5, float("nan")])
def test_an_impossible_slo_gets_one_sentence(slo: float) -> None:
    with pytest.raises(SimulationError, match="cannot be met by anything"):
        simulate(article(), waves([5]), slo=slo)


def test_a_planner_that_is_not_there_gets_one_sentence() -> None:
    service = replace(article(), planner=PlannerUse(worker="Orders", policy={}))
    with pytest.raises(
        SimulationError,
        match=r"Orders follows a planner whose code, fargate_workers_planner/arithmetic\.py, was not found",
    ):
        simulate(service, waves([5]), slo=60)


# What must hold whatever the load

HEIGHTS = st.lists(st.integers(0, 60), min_size=2, max_size=5).filter(any)


@settings(max_examples=20, deadline=None)
@given(HEIGHTS)
def test_twice_the_messages_of_half_the_work_make_no_difference_to_tasks_that_never_scale(heights: list[int]) -> None:
    once = simulate(fixed(12), waves(heights), slo=60, assumptions=STILL)
    twice = simulate(fixed(12), waves([2 * height for height in heights], work=0.25), slo=60, assumptions=STILL)
    assert twice.p99 == pytest.approx(once.p99, abs=1.5)
    assert twice.missed == pytest.approx(2 * once.missed, rel=0.05, abs=200)


@settings(max_examples=20, deadline=None)
@given(HEIGHTS, st.integers(1, 20))
def test_more_tasks_never_miss_more(heights: list[int], tasks: int) -> None:
    few = simulate(fixed(tasks), waves(heights), slo=60)
    many = simulate(fixed(2 * tasks), waves(heights), slo=60)
    assert many.missed <= few.missed + 1
    assert many.p99 <= few.p99 + 0.1


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.floats(10, 120))
def test_slower_launches_never_lower_the_p99_of_a_service_that_only_grows(height: int, launch: float) -> None:
    # One step and one load: a second, higher wave would find more tasks where the first had waited for longer.
    grows = replace(article(cooldowns=(60, 60), steps={100: 5}), alarms=article(steps={100: 5}).alarms[:1])
    fast, slow = (
        simulate(grows, waves([height]), slo=60, assumptions=replace(STILL, launch_median=seconds))
        for seconds in (launch, launch + 60)
    )
    assert slow.p99 >= fast.p99 - 1.5


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60))
def test_later_metrics_never_lower_the_p99_of_a_service_that_only_grows(height: int) -> None:
    grows = replace(article(cooldowns=(60, 60), steps={100: 5}), alarms=article(steps={100: 5}).alarms[:1])
    prompt, late = (
        simulate(grows, waves([height]), slo=60, assumptions=replace(STILL, queue_lag=seconds)) for seconds in (0, 180)
    )
    assert late.p99 >= prompt.p99 - 1.5


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_load_can_be_simulated(name: str) -> None:
    result = simulate(article(), built_in(name), slo=300)
    assert result.residual == 0
    assert 0 <= result.p50 <= result.p99 <= result.oldest + 1e-6
