"""Whatever the service and its load: no crash, no message lost or made, no number that cannot be."""

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, Task
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from tests.toolkit.simulation.services import article, fixed

HOUR = 3600


def a_load(random: Random) -> Load:
    seconds = random.randint(30, 2 * HOUR)
    chance = np.random.default_rng(random.randrange(1000))
    arrivals = chance.poisson(random.choice([0.01, 0.1, 0.6, 2, 10, 40]), seconds)
    arrivals[random.randrange(seconds)] += random.randint(1, 500)
    outage = poison = None
    if random.random() < 0.5:
        outage = np.zeros(seconds, dtype=np.bool_)
        begin = random.randrange(seconds)
        outage[begin : begin + random.randint(1, HOUR)] = True
    if random.random() < 0.3:
        poison = chance.poisson(random.choice([0.01, 1]), seconds)
    work: float | NDArray[np.float64] = random.choice([0.05, 0.5, 1.9, 2.0, 3.3, 13.7, 60.0, 600.0])
    if random.random() < 0.3:
        work = np.repeat(chance.choice([0.2, 1.0, 3.3, 20.0], -(-seconds // 300)), 300)[:seconds]
    return Load(name="random", arrivals=arrivals, work_seconds=work, outage=outage, poison=poison)


def a_service(random: Random) -> ScaledService:
    queue = Queue(
        visibility_timeout=random.choice([0, 1, 7, 20, 30, 90, 600]),
        max_receive_count=random.choice([None, 1, 2, 5, 100]),
        retention=random.choice([60, 300, 345_600]),
        fifo=random.random() < 0.3,
        most_in_flight=random.choice([5, 120_000, 120_000]),
    )
    task = Task(
        concurrency=random.choice([1, 2, 10]),
        prefetches=random.random() < 0.5,
        protected=random.random() < 0.5,
        stop_timeout=random.choice([0, 2, 30, 120]),
        rate_limit=random.choice([None, None, 0.5, 20]),
        spot_from=random.choice([None, None, 0, 1]),
        backs_off=(ours := random.random() < 0.5),
        max_attempts=random.choice([None, 1, 2, 10, 12]) if ours else None,
    )
    if random.random() < 0.5:
        return fixed(random.randint(0, 8), queue=queue, task=task)
    least = random.randint(0, 2)
    service = article(
        steps={random.choice([1, 20]): random.randint(1, 5)},
        cooldowns=(random.choice([0, 60]), random.choice([0, 120])),
        bounds=(least, random.randint(least, 10)),
        queue=queue,
        task=task,
    )
    return replace(service, initial_tasks=random.randint(0, 10))


def a_result(seed: int, engine: Engine) -> tuple[Result, Load]:
    random = Random(seed)
    load, service = a_load(random), a_service(random)
    assumptions = Assumptions(
        service_times="fixed" if random.random() < 0.3 else "exponential",
        spot_interruptions=random.choice([0, 0.5]),
        failed_starts=random.choice([0, 0.3]),
    )
    deployments = [random.randrange(load.seconds)] if random.random() < 0.3 else []
    result = simulate(service, load, slo=60, assumptions=assumptions, seed=seed, deployments=deployments, engine=engine)
    return result, load


def check(result: Result, load: Load) -> None:
    ends = (result.done, result.dead_lettered, result.expired, result.left)
    assert result.sent == load.messages
    assert abs(result.residual) <= 1e-6 * load.messages + 0.002
    assert sum(ends) == pytest.approx(load.messages, rel=1e-6, abs=0.01)
    assert min(*ends, result.missed, result.lost, result.killed) >= -1e-6
    assert 0 <= result.missed_percent <= 100 + 1e-6
    assert 0 <= result.p50 <= result.p99 + 0.011
    assert math.isfinite(result.oldest)
    assert len(result.minutes.desired) == len(result.minutes.oldest_age) == len(result.minutes.retried_age)
    assert min(*result.minutes.visible, *result.minutes.in_flight, *result.minutes.oldest_age) >= 0


@pytest.mark.parametrize("seed", range(60))
def test_the_fluid_engine_accounts_for_every_message(seed: int) -> None:
    check(*a_result(seed, "fluid"))


@pytest.mark.parametrize("seed", range(20))
def test_the_exact_engine_accounts_for_every_message(seed: int) -> None:
    check(*a_result(seed, "exact"))


@pytest.mark.parametrize("engine", ["fluid", "exact"])
@pytest.mark.parametrize(("work", "seed"), [(3.3, 2), (13.7, 2), (1.0, 2)])
def test_an_outage_with_a_short_visibility_timeout_is_no_crash(engine: Engine, work: float, seed: int) -> None:
    outage = np.zeros(3 * HOUR, dtype=np.bool_)
    outage[HOUR : 2 * HOUR] = True
    arrivals = np.random.default_rng(seed).poisson(0.6, 3 * HOUR)
    load = Load(name="outage", arrivals=arrivals, work_seconds=work, outage=outage)
    for visibility in (5, 20, 60):
        service = article(queue=Queue(visibility_timeout=visibility), bounds=(1, 20))
        check(simulate(service, load, slo=60, seed=seed, engine=engine), load)
