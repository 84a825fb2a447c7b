"""Bursts that a budget of 300 s absorbs: what for_latency costs beside the cheapest policy that misses nothing.

The cheapest is chosen afterwards, for each load and seed by itself, among the other policies and the frugal ones of
step policies: nobody who has to choose before the day could do as well on all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from benchmarks.report import Row
from benchmarks.scaling.bursty_loads import BURSTY, bursty
from benchmarks.scaling.check import Check
from benchmarks.scaling.contestants import CONTESTANTS, OURS, OURS_FRUGAL, SLO
from benchmarks.scaling.services import on_depth
from fargate_workers_toolkit.simulation.limits import missed_percent
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

SEEDS = (0, 1)
MOST = 1.15
QUEUE = Queue(visibility_timeout=60)

# Tasks added from 240 visible messages on, percent of them removed at none, and seconds between two removals.
STEPS = tuple(product((1, 2), (10, 25), (120, 300)))


@dataclass(frozen=True, kw_only=True)
class Beside:
    """for_latency and the cheapest other policy without misses, on one load.

    frugal: for_latency in its mode "cost". cheapest_tuned: With the step policies.
    """

    load: str
    seed: int
    ours: Result
    frugal: Result
    cheapest: tuple[str, float]
    cheapest_tuned: tuple[str, float]

    @property
    def ratio(self) -> float:
        return self.ours.task_hours / self.cheapest_tuned[1]

    def as_json(self) -> dict[str, object]:
        return {
            "seed": self.seed,
            "task_hours": round(self.ours.task_hours, 1),
            "missed_percent": round(missed_percent(self.ours), 3),
            "p99": self.ours.p99,
            "mode_cost": [round(self.frugal.task_hours, 1), round(missed_percent(self.frugal), 3)],
            "cheapest": [self.cheapest[0], round(self.cheapest[1], 1)],
            "cheapest_tuned": [self.cheapest_tuned[0], round(self.cheapest_tuned[1], 1)],
            "ratio": round(self.ratio, 3),
        }


def besides() -> Iterator[Beside]:
    """On each bursty load that some policy keeps without misses."""
    for name, seed in product(BURSTY, SEEDS):
        load = bursty(name, seed=seed)
        results = {policy: run(load, QUEUE, seed) for policy, run in CONTESTANTS.items()}
        ours, frugal = results.pop(OURS), results.pop(OURS_FRUGAL)
        others = list(results.items())
        cheapest = _cheapest(others)
        tuned = _cheapest([*others, *_tuned(load, seed)])
        if tuned is not None:
            yield Beside(
                load=name, seed=seed, ours=ours, frugal=frugal, cheapest=cheapest or tuned, cheapest_tuned=tuned
            )


def check() -> Check:
    everything = list(besides())
    worst = max(everything, key=lambda beside: beside.ratio)
    cheapest, hours = worst.cheapest_tuned
    return Check(
        measures="Bursts that 300 s absorb: for_latency beside the cheapest other policy without misses",
        rows=[
            Row(
                name=f"task-hours beside the cheapest, the worst of {len(everything)} days",
                value=worst.ratio,
                most=MOST,
                digits=2,
                beside=f"{worst.load}: {worst.ours.task_hours:.0f} for {hours:.0f}, {cheapest}",
            ),
            Row(
                name="messages missed on them, percent",
                value=max(missed_percent(beside.ours) for beside in everything),
                most=0,
                digits=3,
            ),
        ],
        beside={
            name: [beside.as_json() for beside in everything if beside.load == name]
            for name in dict.fromkeys(beside.load for beside in everything)
        },
    )


def _tuned(load: Load, seed: int) -> Iterator[tuple[str, Result]]:
    for out, percent, cooldown in STEPS:
        service = on_depth(240, out_tasks=out, in_percent=percent, cooldowns=(120, cooldown), queue=QUEUE)
        name = f"+{out} from 240 messages on, -{percent} % after {cooldown} s"
        yield name, simulate(service, load, slo=SLO, seed=seed)


def _cheapest(results: list[tuple[str, Result]]) -> tuple[str, float] | None:
    kept = [(name, result.task_hours) for name, result in results if missed_percent(result) == 0]
    return min(kept, key=lambda pair: pair[1], default=None)
