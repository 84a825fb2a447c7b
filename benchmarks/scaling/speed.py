"""`python -m benchmarks.scaling.speed [--json]`: how fast a day is simulated, beside the bare arithmetic of its queue.

The bare queue serves the same arrivals with a capacity that never changes: no tasks, alarms, policies or ages. Times
are seconds of this machine's processor, the best of several runs; only their ratio means much elsewhere.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fargate_workers_toolkit.semantics.cooldown import Bounds
from fargate_workers_toolkit.semantics.step_scaling import Step, StepPolicy
from fargate_workers_toolkit.simulation.builtin_loads import BUILT_IN, built_in
from fargate_workers_toolkit.simulation.fluid_queue import FluidQueue
from fargate_workers_toolkit.simulation.load import Load
from fargate_workers_toolkit.simulation.model import Alarm, Metric, Query, Queue, ScaledService
from fargate_workers_toolkit.simulation.reading import read_service
from fargate_workers_toolkit.simulation.simulate import simulate

MOST_SECONDS = 0.15
MOST_RATIO = 8.0


def stepping() -> ScaledService:
    """The articles' policy: out in three steps of visible messages, in by one when there are none."""
    visible = Query(metrics={"visible": Metric(source="visible")})
    out = [
        Step(adjustment=2, upper=400, lower=0),
        Step(adjustment=5, lower=400, upper=1900),
        Step(adjustment=10, lower=1900),
    ]
    return ScaledService(
        name="Stepping",
        bounds=Bounds(1, 50),
        initial_tasks=5,
        queue=Queue(visibility_timeout=60, max_receive_count=5),
        steps={
            "Out": StepPolicy(adjustment_type="ChangeInCapacity", steps=out, cooldown=60),
            "In": StepPolicy(adjustment_type="ChangeInCapacity", steps=[Step(adjustment=-1, upper=0)], cooldown=600),
        },
        alarms=[
            Alarm(
                name="Deep",
                query=visible,
                comparison="GreaterThanOrEqualToThreshold",
                threshold=100,
                policies=["Out"],
            ),
            Alarm(name="Empty", query=visible, comparison="LessThanOrEqualToThreshold", threshold=0, policies=["In"]),
        ],
    )


def bare(load: Load) -> None:
    """A day of the queue alone."""
    queue = FluidQueue(load.arrivals, retention=345_600)
    for begin in range(0, load.seconds, 60):
        queue.serve(begin, begin + 60, 30.0)


def best(action: Callable[[], object], *, runs: int) -> float:
    """Processor seconds of the quickest run."""
    seconds: list[float] = []
    for _ in range(runs):
        before = time.process_time()
        action()
        seconds.append(time.process_time() - before)
    return min(seconds)


def measure(service: ScaledService, *, runs: int = 7) -> dict[str, dict[str, float]]:
    """By load: seconds of the bare queue and of a whole simulated day, and their ratio."""
    measured: dict[str, dict[str, float]] = {}
    for name in BUILT_IN:
        load = built_in(name)
        queue, day = best(lambda: bare(load), runs=runs), best(lambda: simulate(service, load, slo=300), runs=runs)  # noqa: B023
        measured[name] = {"bare": round(queue, 4), "day": round(day, 4), "ratio": round(day / queue, 1)}
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling.speed", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    parser.add_argument("--template", type=Path, help="measure a template's service instead of the articles' policy")
    parser.add_argument("--service", help="which service of the template")
    arguments = parser.parse_args()
    service = stepping()
    if arguments.template:
        service = replace(read_service(arguments.template, name=arguments.service), initial_tasks=5)
    measured = measure(service)
    if arguments.json:
        print(json.dumps(measured, indent=2))
    else:
        for name, row in measured.items():
            print(
                f"{name:<10} bare {row['bare'] * 1000:6.1f} ms  day {row['day'] * 1000:6.1f} ms  ratio {row['ratio']}"
            )
    return int(any(row["day"] > MOST_SECONDS or row["ratio"] > MOST_RATIO for row in measured.values()))


if __name__ == "__main__":
    sys.exit(main())
