"""`python -m benchmarks.scaling [--json] [row ...]`: what is promised of the simulator and of scaling by latency.

Without rows all of them are measured, in about two minutes:

    documented   what AWS documents with numbers: CloudWatch's missing-data tables, step and target-tracking examples
    queueing     the engines beside Erlang's formula and Little's law; no message is lost or made
    engines      the fluid engine beside the exact one
    ecs          AWS's published benchmark of ECS scaling on CPU
    speed        a simulated day, in seconds and beside the bare queue
    memory       a simulated year
    recommend    the search among 200 policies
    five_loads   for_latency under the server loads, beside other policies
    killing      messages killed amid their work
    absorbing    bursts that the acceptable latency absorbs, beside the best rule tuned in hindsight
    surprises    work that quadruples, tasks that start slowly, metrics that come late

With --json one object is printed, by row: what it `measures`, the `values`, the `bound` of each, whether it is `kept`,
and what to read `beside` it. Exit code: 0, 1 when a row is not kept.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks.report import Check, publish
from benchmarks.scaling import (
    absorbing,
    documented,
    ecs_scaling,
    engines,
    five_loads,
    killing,
    memory,
    queueing,
    recommending,
    speed,
    surprises,
)
from fargate_workers_toolkit.console.progress import Progress

CHECKS: Mapping[str, Callable[[], Check]] = {
    "documented": documented.check,
    "queueing": queueing.check,
    "engines": engines.check,
    "ecs": ecs_scaling.check,
    "speed": speed.check,
    "memory": memory.check,
    "recommend": recommending.check,
    "five_loads": five_loads.check,
    "killing": killing.check,
    "absorbing": absorbing.check,
    "surprises": surprises.check,
}


def main() -> int:
    arguments = _arguments()
    progress = Progress()
    checks: dict[str, Check] = {}
    for name in arguments.rows or CHECKS:
        with progress.step(name) as say:
            checks[name] = CHECKS[name]()
            say("kept" if checks[name].kept else "NOT KEPT")
    return publish(checks, as_json=arguments.json)


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the numbers for a program")
    parser.add_argument("rows", nargs="*", metavar="row", help=f"one of {', '.join(CHECKS)}. Default: all")
    arguments = parser.parse_args(given)
    unknown = set(arguments.rows) - set(CHECKS)
    if unknown:
        parser.error(f"there is no row {min(unknown)}; choose from {', '.join(CHECKS)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
