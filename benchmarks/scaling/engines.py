"""The fast engine beside the exact one, under loads that policies react to."""

from dataclasses import dataclass, replace
from functools import partial
from statistics import mean

import numpy as np

from benchmarks.report import Check, Row
from benchmarks.scaling.services import article, fixed
from fargate_workers_toolkit.simulation.loads.built_in import built_in, steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, Task
from fargate_workers_toolkit.simulation.simulate import Engine, simulate

HOUR = 3600

# The most by which task-hours may differ; and ages, whichever is more.
HOURS_SHARE = 0.02
AGE_SHARE = 0.1
AGE_SECONDS = 3.0

# Of a fixed service whose messages take so many seconds, at such a share of what it can do.
LONG_WORK = (2.0, 2.4, 3.0, 5.0, 8.0, 14.0)
LONG_WORK_TASKS = 10
LONG_WORK_LOADS = (0.84, 0.9, 0.95)
LONG_WORK_AGE_SHARE = 0.15
# Nearer to all that tasks can do, the chance of some days moves p99 by more.
MOST_LOAD = 0.9


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
    def p99_apart(self) -> float:
        """As a share."""
        return abs(self.fluid.p99 / self.exact.p99 - 1)

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
    patient = Task(backs_off=True, max_attempts=10)
    ours = partial(replace, patient, prefetches=True, protected=True, stop_timeout=120)
    return {
        "bursts": Case(load=part("burst", begin=52_500, hours=2), service=article(), seeds=4),
        "heavy": Case(load=part("heavy", begin=28_200, hours=3), service=article(), seeds=3),
        "outage": Case(
            load=part("outage", begin=34_200, hours=3, thinned=3),
            service=article(queue=retried(visibility_timeout=300)),
            seeds=2,
        ),
        "patience": Case(
            load=part("outage", begin=36_000, hours=1.75, thinned=3),
            service=article(queue=Queue(visibility_timeout=120, max_receive_count=100), task=patient),
            seeds=2,
        ),
        "patience of ten at once": Case(
            load=part("outage", begin=34_200, hours=3, thinned=5),
            service=article(queue=Queue(visibility_timeout=120, max_receive_count=100), task=ours(concurrency=10)),
            seeds=2,
        ),
        "poison": Case(
            load=part("poison", begin=34_200, hours=2, thinned=2),
            service=article(queue=retried(visibility_timeout=60)),
            seeds=3,
        ),
        "long-work": Case(
            load=part("heavy", begin=27_000, hours=6, thinned=10),
            service=article(steps={10: 1, 50: 2}, cooldowns=(60, 120), minutes=2),
            seeds=6,
        ),
        "protected": Case(
            load=part("heavy", begin=27_000, hours=6, thinned=100),
            service=article(
                steps={10: 1, 50: 2},
                cooldowns=(60, 120),
                minutes=2,
                queue=Queue(visibility_timeout=900),
                task=ours(concurrency=2),
            ),
            seeds=6,
        ),
    }


def long_work(work_seconds: float, load: float, *, seeds: int = 2) -> Case:
    """A fixed service with messages of one mean work time, at a share of what its tasks can do, for some days."""
    messages = steady(
        load * LONG_WORK_TASKS / work_seconds, work_seconds=work_seconds, seconds=round(12 * HOUR * work_seconds)
    )
    return Case(load=messages, service=fixed(LONG_WORK_TASKS), seeds=seeds)


def compared(case: Case) -> Comparison:
    return Comparison(fluid=_means(case, "fluid"), exact=_means(case, "exact"))


def check() -> Check:
    comparisons = {name: compared(case) for name, case in cases().items()}
    hours = max(comparisons, key=lambda name: comparisons[name].hours_apart)
    ages = max(comparisons, key=lambda name: comparisons[name].ages_apart)
    worst = comparisons[ages]
    long = {
        f"{work:g} s at {100 * load:g} %": (load, compared(long_work(work, load)))
        for work in LONG_WORK
        for load in LONG_WORK_LOADS
    }
    longest = max(
        (name for name, (load, _) in long.items() if load <= MOST_LOAD), key=lambda name: long[name][1].p99_apart
    )
    longest_both = long[longest][1]
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
            Row(
                name="p99 apart with 2 to 14 s of work, percent",
                value=100 * longest_both.p99_apart,
                most=100 * LONG_WORK_AGE_SHARE,
                digits=1,
                beside=f"{longest}: {longest_both.fluid.p99:.1f} s for {longest_both.exact.p99:.1f} s",
            ),
        ],
        beside={
            name: {
                "task_hours": [round(both.fluid.task_hours, 2), round(both.exact.task_hours, 2)],
                "p99": [round(both.fluid.p99, 2), round(both.exact.p99, 2)],
            }
            for name, both in (comparisons | {name: both for name, (_, both) in long.items()}).items()
        },
    )


def _means(case: Case, engine: Engine) -> Means:
    results = [simulate(case.service, case.load, slo=300, seed=seed, engine=engine) for seed in range(case.seeds)]
    return Means(
        task_hours=mean(result.task_hours for result in results),
        p99=mean(result.p99 for result in results),
        dead_lettered=mean(result.dead_lettered for result in results),
    )
