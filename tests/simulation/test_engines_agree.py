"""Both engines tell the same of the same load, although one knows no single message."""

from dataclasses import replace

import numpy as np
import pytest

from fargate_workers_toolkit.simulation.builtin_loads import built_in
from fargate_workers_toolkit.simulation.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.simulation.services import article

HOUR = 3600


def part(name: str, *, begin: int, hours: float, thinned: int = 1) -> Load:
    """Some hours of a built-in load, with one in so many messages, each so much more work."""
    load, cut = built_in(name), slice(begin, begin + int(hours * HOUR))
    random = np.random.default_rng(1)
    return Load(
        name=name,
        arrivals=random.binomial(load.arrivals[cut], 1 / thinned),
        work_seconds=load.work_by_second[cut] * thinned,
        outage=None if load.outage is None else load.outage[cut],
        poison=None if load.poison is None else random.binomial(load.poison[cut], 1 / thinned),
    )


# A load, a service, and over how many seeds: chance moves single steps of a policy by a minute, so means are compared.
CASES: list[tuple[Load, ScaledService, int]] = [
    (part("burst", begin=52_500, hours=2), article(), 4),
    (part("heavy", begin=28_200, hours=3), article(), 3),
    (part("outage", begin=34_200, hours=3), article(queue=Queue(max_receive_count=5, visibility_timeout=300)), 2),
    (part("poison", begin=34_200, hours=2), article(queue=Queue(max_receive_count=5, visibility_timeout=60)), 3),
    (part("heavy", begin=27_000, hours=6, thinned=10), article(steps={10: 2, 50: 5}, minutes=5), 10),
]


@pytest.mark.parametrize(("load", "service", "seeds"), CASES, ids=["bursts", "heavy", "outage", "poison", "long-work"])
def test_task_hours_within_2_percent_and_p99_within_10_percent_or_3_seconds(
    load: Load, service: ScaledService, seeds: int
) -> None:
    fluid = [simulate(service, load, slo=300, seed=seed) for seed in range(seeds)]
    exact = [simulate(service, load, slo=300, seed=seed, engine="exact") for seed in range(seeds)]
    hours, exact_hours = (np.mean([result.task_hours for result in results]) for results in (fluid, exact))
    p99, exact_p99 = (np.mean([result.p99 for result in results]) for results in (fluid, exact))
    assert hours == pytest.approx(exact_hours, rel=0.02)
    assert p99 == pytest.approx(exact_p99, rel=0.1, abs=3)
    dead, exact_dead = (np.mean([result.dead_lettered for result in results]) for results in (fluid, exact))
    assert dead == pytest.approx(exact_dead, rel=0.02, abs=2)


def test_a_service_that_wakes_from_zero_wakes_in_both() -> None:
    service = replace(article(steps={1: 1}, bounds=(0, 10)), initial_tasks=0)
    load = built_in("drip")
    fluid = simulate(service, load, slo=300)
    exact = simulate(service, load, slo=300, engine="exact")
    assert fluid.task_hours == pytest.approx(exact.task_hours, rel=0.1)
    assert fluid.p99 == pytest.approx(exact.p99, rel=0.1, abs=3)
