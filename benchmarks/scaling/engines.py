"""The fast engine beside the exact one, under loads that policies react to."""

from dataclasses import dataclass
from functools import partial
from statistics import mean

import numpy as np

from benchmarks.report import Row
from benchmarks.scaling.check import Check
from benchmarks.scaling.services import article
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService
from fargate_workers_toolkit.simulation.simulate import Engine, simulate

HOUR = 3600

# The most by which task-hours may differ; and ages, whichever is more.
HOURS_SHARE = 0.02
AGE_SHARE = 0.1
AGE_SECONDS = 3.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """`seeds`: chance moves single steps of a policy by a minute, so means over some are compared."""

    load: Load
    service: ScaledService
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Means:
    """Of one engine."""

    task_hours: float
    p99: float
    dead_lettered: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both engines on the same case."""

    fluid: Means
    exact: Means

    @property
    def hours_apart(self) -> float:
        """As a share."""
        return abs(self.fluid.task_hours / self.exact.task_hours - 1)

    @property
    def ages_apart(self) -> float:
        """As a share of what they may be."""
        return abs(self.fluid.p99 - self.exact.p99) / max(AGE_SECONDS, AGE_SHARE * self.exact.p99)


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


def cases() -> dict[str, Case]:
    retried = partial(Queue, max_receive_count=5)
    return {
        "bursts": Case(load=part("burst", begin=52_500, hours=2), service=article(), seeds=4),
        "heavy": Case(load=part("heavy", begin=28_200, hours=3), service=article(), seeds=3),
        "outage": Case(
            load=part("outage", begin=34_200, hours=3), service=article(queue=retried(visibility_timeout=300)), seeds=2
        ),
        "poison": Case(
            load=part("poison", begin=34_200, hours=2), service=article(queue=retried(visibility_timeout=60)), seeds=3
        ),
        "long-work": Case(
            load=part("heavy", begin=27_000, hours=6, thinned=10),
            service=article(steps={10: 2, 50: 5}, minutes=5),
            seeds=10,
        ),
    }


def compared(case: Case) -> Comparison:
    return Comparison(fluid=_means(case, "fluid"), exact=_means(case, "exact"))


def check() -> Check:
    comparisons = {name: compared(case) for name, case in cases().items()}
    hours = max(comparisons, key=lambda name: comparisons[name].hours_apart)
    ages = max(comparisons, key=lambda name: comparisons[name].ages_apart)
    worst = comparisons[ages]
    return Check(
        measures="The fluid engine beside the exact one, the worst of the loads",
        rows=[
            Row(
                name="task-hours apart, percent",
                value=100 * comparisons[hours].hours_apart,
                most=100 * HOURS_SHARE,
                digits=2,
                beside=hours,
            ),
            Row(
                name="p99 apart, of max(3 s, 10 %)",
                value=worst.ages_apart,
                most=1,
                digits=2,
                beside=f"{ages}: {worst.fluid.p99:.1f} s for {worst.exact.p99:.1f} s",
            ),
        ],
        beside={
            name: {
                "task_hours": [round(both.fluid.task_hours, 2), round(both.exact.task_hours, 2)],
                "p99": [round(both.fluid.p99, 2), round(both.exact.p99, 2)],
            }
            for name, both in comparisons.items()
        },
    )


def _means(case: Case, engine: Engine) -> Means:
    results = [simulate(case.service, case.load, slo=300, seed=seed, engine=engine) for seed in range(case.seeds)]
    return Means(
        task_hours=mean(result.task_hours for result in results),
        p99=mean(result.p99 for result in results),
        dead_lettered=mean(result.dead_lettered for result in results),
    )
