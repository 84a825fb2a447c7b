"""`fargate-workers recommend`."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from fargate_workers_toolkit.simulation.builtin_loads import BUILT_IN
from fargate_workers_toolkit.simulation.command import CdkOut, Json, Seed, Service, Slo, load_of, slo_of
from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.figures import seconds_text
from fargate_workers_toolkit.simulation.load import Load
from fargate_workers_toolkit.simulation.reading import read_service
from fargate_workers_toolkit.simulation.recommend import Candidate, Recommendation
from fargate_workers_toolkit.simulation.recommend import recommend as search
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

DEFAULT_LOADS = ("burst", "diurnal", "heavy")

Loads = Annotated[
    list[str] | None,
    typer.Option(
        "--load", help=f"{', '.join(BUILT_IN)}, or a CSV file; may be repeated. Default: {', '.join(DEFAULT_LOADS)}."
    ),
]


def recommend(
    cdk_out: CdkOut = Path("cdk.out"),
    *,
    service: Service = None,
    load: Loads = None,
    slo: Slo = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Search a step scaling policy that keeps an SLO under several loads at the least cost.

    Ends with 0, with 1 when none does, with 2 for what cannot be simulated.
    """
    try:
        scaled = read_service(cdk_out, name=service)
        promised = slo_of(scaled, slo)
        loads = [load_of(name, rate=None, work_seconds=None, seed=seed) for name in load or DEFAULT_LOADS]
        found = search(scaled, loads, slo=promised, seed=seed, progress=_progress)
        now = [simulate(scaled, each, slo=promised, seed=seed) for each in loads]
    except SimulationError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    if as_json:
        sys.stdout.write(json.dumps(_as_json(found, loads, now), indent=2) + "\n")
    else:
        # A log has no width of its own.
        console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
        console.print(_table(found, loads, now))
        console.print(Text(found.sentence()), soft_wrap=True)
    if found.candidate is None:
        raise typer.Exit(1)


def _progress(candidates: Sequence[Candidate]) -> Iterable[Candidate]:
    return track(candidates, description="Trying policies", console=Console(stderr=True), transient=True)


def _table(found: Recommendation, loads: Sequence[Load], now: Sequence[Result]) -> Table:
    table = Table(title=Text(f"An SLO of {found.slo:g} s"), title_justify="left", title_style="bold", pad_edge=False)
    for heading in ("Load", "Policy"):
        table.add_column(heading, overflow="fold")
    for heading in ("Age, 99 of 100", "Too old", "Task-hours", "Cost"):
        table.add_column(heading, justify="right")
    for index, load in enumerate(loads):
        table.add_row(Text(load.name), "now", *_cells(now[index]))
        if found.candidate is not None:
            table.add_row("", "recommended", *_cells(found.results[index]))
    return table


def _cells(result: Result) -> tuple[str, ...]:
    return (
        seconds_text(result.p99),
        f"{result.missed_percent:.2f} %",
        f"{result.task_hours:,.1f}",
        f"${result.cost:,.2f}",
    )


def _as_json(found: Recommendation, loads: Sequence[Load], now: Sequence[Result]) -> dict[str, Any]:
    def told(results: Sequence[Result]) -> dict[str, Any]:
        return {
            load.name: {
                "p99": round(result.p99, 3),
                "missed_percent": round(result.missed_percent, 3),
                "task_hours": round(result.task_hours, 3),
                "cost": round(result.cost, 3),
            }
            for load, result in zip(loads, results, strict=False)
        }

    return {
        "slo": found.slo,
        "sentence": found.sentence(),
        "policy": None if found.candidate is None else asdict(found.candidate),
        "warm_tasks": found.warm,
        "now": told(now),
        "recommended": told(found.results),
    }
