"""How fast a day is simulated, beside the bare arithmetic of its queue.

The bare queue serves the same arrivals in as many steps, with no tasks, alarms, policies or ages, and nothing that was
made for this simulator. Times are seconds of this machine's processor, the best of several runs; only their ratio means
much elsewhere.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.report import Check, Row
from benchmarks.scaling.services import article, for_latency
from fargate_workers_toolkit.simulation.loads.built_in import BUILT_IN, built_in
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService
from fargate_workers_toolkit.simulation.simulate import simulate

RUNS = 7
MOST_SECONDS = 0.15
MOST_RATIO = 8.0


def bare(load: Load) -> None:
    """A day of a queue alone, in blocks of a minute: served is the least of what entered and what could be served."""
    entered, served, level = np.cumsum(load.arrivals), np.zeros(load.seconds), 0.0
    for begin in range(0, load.seconds, 60):
        block = slice(begin, begin + 60)
        line = level + np.cumsum(np.full(60, 30.0))
        behind = np.minimum.accumulate(entered[block] - line)
        served[block] = line + np.minimum(behind, 0)
        level = served[begin + 59]


def best(*actions: Callable[[], object], runs: int) -> list[float]:
    """Processor seconds of each action's quickest run, of this thread: another one shows the progress.

    The actions take turns, so that a busy machine slows all of them down alike.
    """
    seconds = [[_seconds(action) for action in actions] for _ in range(runs)]
    return [min(each) for each in zip(*seconds, strict=True)]


def _seconds(action: Callable[[], object]) -> float:
    before = time.thread_time()
    action()
    return time.thread_time() - before


@dataclass(frozen=True, kw_only=True)
class Day:
    """Processor seconds."""

    bare: float
    simulated: float

    @property
    def ratio(self) -> float:
        return self.simulated / self.bare


def services() -> Mapping[str, ScaledService]:
    queue = Queue(visibility_timeout=60, max_receive_count=5)
    return {"step policies": article(queue=queue), "for_latency": for_latency(queue=queue)}


def days(service: ScaledService, *, runs: int = RUNS) -> dict[str, Day]:
    """By load."""
    measured: dict[str, Day] = {}
    for name in BUILT_IN:
        load = built_in(name)
        alone, simulated = best(partial(bare, load), partial(simulate, service, load, slo=300), runs=runs)
        measured[name] = Day(bare=alone, simulated=simulated)
    return measured


def check() -> Check:
    rows: list[Row] = []
    beside: dict[str, object] = {}
    for name, service in services().items():
        measured = days(service)
        slowest = max(measured, key=lambda load: measured[load].simulated)
        furthest = max(measured, key=lambda load: measured[load].ratio)
        rows += [
            Row(
                name=f"{name}: seconds for the slowest day",
                value=measured[slowest].simulated,
                most=MOST_SECONDS,
                digits=3,
                beside=slowest,
            ),
            Row(
                name=f"{name}: beside the bare queue",
                value=measured[furthest].ratio,
                most=MOST_RATIO,
                digits=1,
                beside=", ".join(f"{load} {day.ratio:.1f}" for load, day in measured.items()),
            ),
        ]
        beside[name] = {
            load: {"bare": round(day.bare, 4), "simulated": round(day.simulated, 4), "ratio": round(day.ratio, 2)}
            for load, day in measured.items()
        }
    return Check(measures="A day of 86,400 simulated seconds", rows=rows, beside=beside)
