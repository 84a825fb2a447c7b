"""What a simulated year takes of memory, with everything that the command makes of it, each in a process of its own."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from benchmarks.report import Check, Row
from benchmarks.scaling.services import article
from fargate_workers_toolkit.reports.page import page
from fargate_workers_toolkit.reports.plot import plot
from fargate_workers_toolkit.reports.report import show
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.simulation.loads.built_in import DAY, steady
from fargate_workers_toolkit.simulation.model import Queue
from fargate_workers_toolkit.simulation.simulate import simulate

MOST_MEGABYTES = 300
RATE = 20


def check() -> Check:
    told = {name: _measured(name) for name in MADE}
    return Check(
        measures=f"A year of {RATE} messages a second",
        rows=[
            Row(name=f"most megabytes at once, {name}", value=each["megabytes"], most=MOST_MEGABYTES, digits=0)
            for name, each in told.items()
        ],
        beside=told,
    )


def _measured(name: str) -> Mapping[str, float]:
    command = [sys.executable, "-m", __spec__.name, name]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _as_text(study: Study) -> int:
    with (Path(os.devnull)).open("w", encoding="utf-8") as nowhere:
        show(Console(file=nowhere, width=120), [study], [])
    return 0


def _as_json(study: Study) -> int:
    return sum(len(piece) for piece in json.JSONEncoder(indent=2).iterencode(study.result.as_json()))


MADE: Mapping[str, Callable[[Study], int]] = {
    "text": _as_text,
    "json": _as_json,
    "page": lambda study: len(page([study])),
    "svg": lambda study: len(plot([study], suffix=".svg")),
    "png": lambda study: len(plot([study], suffix=".png")),
}


def main(name: str) -> None:
    load = steady(RATE, seconds=365 * DAY)
    of_load = _most_megabytes()
    service = article(queue=Queue(visibility_timeout=60, max_receive_count=5))
    result = simulate(service, load, slo=300)
    of_run = _most_megabytes()
    length = MADE[name](Study(title=service.name, service=service, load=load, result=result))
    told = {"megabytes": _most_megabytes(), "of_load": of_load, "of_run": of_run, "letters": length}
    print(json.dumps(told | {"messages": round(result.done)}))


def _most_megabytes() -> float:
    """So far."""
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return round(kibibytes / 1024, 1)


if __name__ == "__main__":
    main(sys.argv[1])
