"""Bursts that the acceptable latency absorbs: what for_latency costs beside the best rule of thumb, tuned in hindsight.

The rule is KEDA's: a task for so many messages that wait or are in flight, as are 200 seconds of work. No other policy
that was tried misses nothing on so many days for so little; and it knows what a message takes, which is measured here.
It acts on what it sees at once, where a gap is acted on a minute later.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from statistics import mean

from benchmarks.report import Check, Row
from benchmarks.scaling.bursty_loads import BURSTY, bursty
from benchmarks.scaling.keda import simulate_keda
from benchmarks.scaling.services import for_latency
from fargate_workers_toolkit.simulation.limits import missed_percent
from fargate_workers_toolkit.simulation.loads.built_in import WORK_SECONDS
from fargate_workers_toolkit.simulation.model import Queue
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

SEEDS = (0, 1)
LATENCIES = (300, 900)
MOST_MEAN, MOST = 1.15, 1.25
KEDA_WORK_SECONDS = 200
QUEUE = Queue(visibility_timeout=60)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """for_latency and KEDA on one day."""

    load: str
    seed: int
    latency: int
    ours: Result
    keda: Result

    @property
    def ratio(self) -> float:
        return self.ours.task_hours / self.keda.task_hours

    @property
    def kept_by_keda(self) -> bool:
        return missed_percent(self.keda) == 0

    def as_json(self) -> dict[str, object]:
        return {
            "seed": self.seed,
            "latency": self.latency,
            "task_hours": [round(self.ours.task_hours, 1), round(self.keda.task_hours, 1)],
            "missed_percent": [round(missed_percent(self.ours), 3), round(missed_percent(self.keda), 3)],
            "p99": [self.ours.p99, self.keda.p99],
            "ratio": round(self.ratio, 3),
        }


def besides() -> Iterator[Beside]:
    """On each bursty day, with each of the latencies."""
    for name, seed, latency in product(BURSTY, SEEDS, LATENCIES):
        load = bursty(name, seed=seed)
        service = replace(for_latency(acceptable_latency=latency, queue=QUEUE), initial_tasks=5)
        queue_length = round(KEDA_WORK_SECONDS / WORK_SECONDS)
        yield Beside(
            load=name,
            seed=seed,
            latency=latency,
            ours=simulate(service, load, slo=latency, seed=seed),
            keda=simulate_keda(service, load, queue_length=queue_length, slo=latency, seed=seed),
        )


def check() -> Check:
    everything = list(besides())
    rows: list[Row] = []
    for latency in LATENCIES:
        # What breaks the promise is no measure of what to keep it costs.
        days = [beside for beside in everything if beside.latency == latency and beside.kept_by_keda]
        others = [beside for beside in everything if beside.latency == latency and not beside.kept_by_keda]
        worst = max(days, key=lambda beside: beside.ratio)
        rows += [
            Row(
                name=f"{latency} s: task-hours beside KEDA's, mean of {len(days)} days",
                value=mean(beside.ratio for beside in days),
                most=MOST_MEAN,
                digits=3,
            ),
            Row(
                name=f"{latency} s: the worst of them",
                value=worst.ratio,
                most=MOST,
                digits=3,
                beside=f"{worst.load}: {worst.ours.task_hours:.0f} for {worst.keda.task_hours:.0f}",
            ),
            Row(
                name=f"{latency} s: messages missed on them, percent",
                value=max(missed_percent(beside.ours) for beside in days),
                most=0,
                digits=3,
            ),
        ]
        if others:
            rows.append(
                Row(
                    name=f"{latency} s: messages missed on the {len(others)} days on which KEDA misses some, percent",
                    value=max(missed_percent(beside.ours) for beside in others),
                    most=max(missed_percent(beside.keda) for beside in others),
                    digits=3,
                    beside="their load is above what the most tasks bear for a quarter of an hour",
                )
            )
    return Check(
        measures="Bursts that the acceptable latency absorbs: for_latency beside the best rule tuned in hindsight",
        rows=rows,
        beside={name: [beside.as_json() for beside in everything if beside.load == name] for name in BURSTY},
    )
