"""Both engines tell the same of the same load, although one knows no single message."""

import math
from dataclasses import replace
from statistics import mean

import pytest

from benchmarks.scaling.engines import HOURS_SHARE, LONG_WORK_AGE_SHARE, cases, compared, long_work
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.built_in import built_in, steady
from fargate_workers_toolkit.simulation.model import Task
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.services import article, fixed


@pytest.mark.parametrize("name", cases())
def test_task_hours_within_2_percent_and_p99_within_10_percent_or_3_seconds(name: str) -> None:
    both = compared(cases()[name])
    assert both.hours_apart <= HOURS_SHARE
    assert both.ages_apart <= 1
    assert both.fluid.dead_lettered == pytest.approx(both.exact.dead_lettered, rel=0.02, abs=2)


def test_a_service_that_wakes_from_zero_wakes_in_both() -> None:
    service = replace(article(steps={1: 1}, bounds=(0, 10)), initial_tasks=0)
    fluid, exact = (
        [simulate(service, built_in("drip", seed=seed), slo=300, seed=seed, engine=engine) for seed in range(4)]
        for engine in ("fluid", "exact")
    )
    hours, of_exact = (mean(result.task_hours for result in results) for results in (fluid, exact))
    assert hours == pytest.approx(of_exact, rel=0.1)
    ages, of_exact = (mean(result.p99 for result in results) for results in (fluid, exact))
    assert ages == pytest.approx(of_exact, rel=0.1, abs=3)


@pytest.mark.parametrize(("work", "load"), [(3, 0.84), (14, 0.9)])
def test_p99_of_long_work_is_within_15_percent(work: float, load: float) -> None:
    assert compared(long_work(work, load, seeds=1)).p99_apart <= LONG_WORK_AGE_SHARE


@pytest.mark.parametrize(("work", "slots", "load"), [(8.0, 10, 0.9), (14.0, 12, 0.84), (3.5, 4, 0.84)])
def test_p99_of_long_work_that_takes_the_same_time_always_is_within_15_percent(
    work: float, slots: int, load: float
) -> None:
    messages = steady(slots * load / work, work_seconds=work)
    even = Assumptions(service_times="fixed")
    fluid, exact = (
        simulate(fixed(slots // 2, task=Task(concurrency=2)), messages, slo=300, assumptions=even, engine=engine)
        for engine in ("fluid", "exact")
    )
    assert fluid.p99 == pytest.approx(exact.p99, rel=0.15)


@pytest.mark.parametrize("work", [2.0, 4.0, 14.0])
@pytest.mark.parametrize(("slots", "load"), [(10, 0.84), (80, 0.95)])
def test_ages_of_long_work_are_those_of_erlang(work: float, slots: int, load: float) -> None:
    """The share of messages older than the age that queueing theory gives to one in a hundred."""
    rate = slots * load / work
    age = erlang_age(0.01, slots=slots, load=load, work=work)
    service = fixed(slots // 2, task=Task(concurrency=2))
    results = [simulate(service, steady(rate, work_seconds=work, seed=seed), slo=age, seed=seed) for seed in range(3)]
    assert mean(result.missed_percent for result in results) == pytest.approx(1, rel=0.15)


def erlang_age(share: float, *, slots: int, load: float, work: float) -> float:
    """What so many messages of all exceed, from sending to the end of their work, in a queue of Erlang's."""
    offered = slots * load
    blocked = 1.0
    for slot in range(1, slots + 1):
        blocked = offered * blocked / (slot + offered * blocked)
    waits = blocked / (1 - load * (1 - blocked))
    # The rates at which waiting ends, a hair off where both are the same, and work.
    wait, end = slots * (1 - load) / work * (1 + 1e-9), 1 / work

    def older(age: float) -> float:
        waited = (wait * math.exp(-end * age) - end * math.exp(-wait * age)) / (wait - end)
        return (1 - waits) * math.exp(-end * age) + waits * waited

    low, high = 0.0, 1000 * work
    while high - low > 0.001:
        middle = (low + high) / 2
        low, high = (middle, high) if older(middle) > share else (low, middle)
    return high
