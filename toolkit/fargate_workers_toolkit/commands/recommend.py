"""`fargate-workers recommend`."""

import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from fargate_workers_toolkit.commands.simulate import (
    Assume,
    CdkOut,
    Interval,
    Json,
    Seed,
    Service,
    Slo,
    Work,
    loads_of,
    slo_of,
)
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.recommendation import Outcome, Outlook, Progress, Recommendation, held_out
from fargate_workers_toolkit.recommendation import recommend as search
from fargate_workers_toolkit.simulation import assuming, seconds_text
from fargate_workers_toolkit.simulation.loads import BUILT_IN
from fargate_workers_toolkit.simulation.reading import read_service

DEFAULT_LOADS = ("burst", "diurnal", "heavy")

Loads = Annotated[
    list[str] | None,
    typer.Option(
        "--load", help=f"{', '.join(BUILT_IN)}, or a CSV file; may be repeated. Default: {', '.join(DEFAULT_LOADS)}."
    ),
]
Checks = Annotated[
    list[str] | None,
    typer.Option(
        "--check",
        help="Another day of the same site, in a file, to judge the policy by; may be repeated. Default: the first day "
        "of each file that has more than one, which the search then leaves out.",
    ),
]
MaxTasks = Annotated[int | None, typer.Option(min=1, help="Try no more tasks. Default: what the loads need.")]
Processes = Annotated[
    int | None, typer.Option(min=1, help="How many work at once; the result is the same. Default: one a processor.")
]


def recommend(
    cdk_out: CdkOut = Path("cdk.out"),
    *,
    service: Service = None,
    load: Loads = None,
    work_seconds: Work = None,
    interval: Interval = None,
    slo: Slo = None,
    check: Checks = None,
    max_tasks: MaxTasks = None,
    assume: Assume = None,
    seed: Seed = 0,
    processes: Processes = None,
    as_json: Json = False,
) -> None:
    """Search the policy that keeps an SLO under several loads at the least cost, and print it as a line of Python.

    Such as: fargate-workers recommend --load monday.csv --check sunday.csv --work-seconds 0.8 --slo 300 --seed 7

    Ends with 0, with 1 when no policy keeps the SLO, with 2 for what cannot be simulated.
    """
    try:
        assumptions = assuming(assume or ())
        scaled = read_service(cdk_out, name=service)
        if scaled.function is not None:
            raise SimulationError(
                f"{scaled.name} is a function, which Lambda scales by its own rule; simulate it, with other values of "
                "max_concurrency."
            )
        promised = slo_of(scaled, slo)
        every = loads_of(load or DEFAULT_LOADS, work_seconds=work_seconds, interval=interval)
        before, loads = held_out(every, seed=seed)
        if check:
            before, loads = loads_of(check, work_seconds=work_seconds, interval=interval)(seed), every
        with _bar() as progress:
            found = search(
                scaled,
                loads,
                slo=promised,
                seed=seed,
                max_tasks=max_tasks,
                processes=processes,
                progress=progress,
                checks=before,
                assumptions=assumptions,
            )
    except SimulationError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    if as_json:
        sys.stdout.write(json.dumps(_as_json(scaled.name, found), indent=2) + "\n")
    else:
        # A log has no width of its own.
        _show(Console(width=None if sys.stdout.isatty() else 120, highlight=False), scaled.name, found)
    if not found.kept:
        raise typer.Exit(1)


@contextmanager
def _bar() -> Generator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def progress(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        yield progress


def _show(console: Console, service: str, found: Recommendation) -> None:
    console.print(_table(service, found))
    for name, percent in zip(_loads(found), found.unavoidable, strict=True):
        if percent >= 0.01:
            sentence = f"Of {name}, {percent:.2g} % are too old however many tasks run; no policy is blamed for that."
            console.print(Text(sentence, style="dim"), soft_wrap=True)
    for sentence in [*found.assumed(), *found.traded(), *found.judged()]:
        console.print(Text(sentence, style="dim"), soft_wrap=True)
    console.print(Text(found.sentence()), soft_wrap=True)
    if found.best is not None:
        console.print(Text(f"\n    scaling={found.best.policy.line}", style="bold"), soft_wrap=True)


def _table(service: str, found: Recommendation) -> Table:
    title = Text(f"{service}, no message older than {found.slo:g} s")
    table = Table(title=title, title_justify="left", title_style="bold", pad_edge=False)
    for heading in ("Load", "Policy"):
        table.add_column(heading, overflow="fold")
    for heading in ("Age, 99 of 100", "Too old or lost", "Most tasks", "Reversals", "Task-hours", "Cost"):
        table.add_column(heading, justify="right")
    for index, name in enumerate(_loads(found)):
        for row, (title, outlook) in enumerate(_outlooks(found)):
            table.add_row(Text("" if row else name), title, *_cells(outlook.outcomes[index]))
    return table


def _outlooks(found: Recommendation) -> Sequence[tuple[str, Outlook]]:
    named = [("now", found.present), ("recommended", found.best)]
    if not found.kept and found.warm is not None:
        named.append((found.warm.policy.line, found.warm))
    return [(title, outlook) for title, outlook in named if outlook is not None]


def _loads(found: Recommendation) -> list[str]:
    return [outcome.load for outcome in found.present.outcomes]


def _cells(outcome: Outcome) -> tuple[str, ...]:
    return (
        seconds_text(outcome.p99),
        f"{outcome.missed_percent:.2f} %",
        f"{outcome.peak:,}",
        f"{outcome.reversals:,.0f}",
        f"{outcome.task_hours:,.1f}",
        f"${outcome.cost:,.2f}",
    )


def _as_json(service: str, found: Recommendation) -> dict[str, Any]:
    """The recommendation as plain values: of late messages the worst of all seeds, of the rest the mean; in dollars."""
    unavoidable = zip(_loads(found), found.unavoidable, strict=True)
    return {
        "service": service,
        "slo": found.slo,
        "loads": [{"load": name, "unavoidable_percent": round(percent, 3)} for name, percent in unavoidable],
        "seeds": list(found.seeds),
        "tried": found.tried,
        "kept": found.kept,
        "sentence": found.sentence(),
        "assumed": found.assumed(),
        "checks": [
            {**_rounded(checked.outcome), "kept": checked.kept} for checked in found.checks if found.best is not None
        ],
        "line": None if found.best is None else found.best.policy.line,
        "now": _outlook(found.present),
        "recommended": None if found.best is None else _outlook(found.best),
        "warm": None if found.warm is None else _outlook(found.warm),
        "finalists": [_outlook(outlook) for outlook in found.finalists],
    }


def _outlook(outlook: Outlook) -> dict[str, Any]:
    return {
        "policy": outlook.policy.line,
        "parameters": asdict(outlook.policy),
        "kept": outlook.kept,
        "cost_per_day": round(outlook.cost_per_day, 2),
        "loads": [_rounded(outcome) for outcome in outlook.outcomes],
    }


def _rounded(outcome: Outcome) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in outcome._asdict().items()}
