"""`fargate-workers simulate`."""

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from fargate_workers_toolkit.console import spinning
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.recommendation import refuse_too_short, refuse_unreachable
from fargate_workers_toolkit.reports import Study, show, verdict_of
from fargate_workers_toolkit.reports import page as page_of
from fargate_workers_toolkit.reports import plot as plot_of
from fargate_workers_toolkit.simulation import (
    BEGINS,
    FIGURES,
    Engine,
    ForLatency,
    Limit,
    ScaledService,
    assuming,
    limits_of,
    listed,
    policy_of,
)
from fargate_workers_toolkit.simulation import simulate as run
from fargate_workers_toolkit.simulation.loads import BUILT_IN, WORK_SECONDS, Load, built_in, load_from_file, steady
from fargate_workers_toolkit.simulation.reading import read_service

DEFAULT_LOAD = "burst"
MOST_A_SECOND = 1_000_000

CdkOut = Annotated[Path, typer.Argument(help="A cloud assembly, or one template in JSON.", show_default=True)]
Service = Annotated[str | None, typer.Option(help="The service, where there are several: its construct path or id.")]
LoadName = Annotated[
    str | None,
    typer.Option(
        "--load",
        help=f"{', '.join(BUILT_IN)}; or a CSV file of moments, or of moments and counts. Default: {DEFAULT_LOAD}.",
    ),
]
Rate = Annotated[float | None, typer.Option(help="Instead of a load: so many messages a second, for a day.")]
Work = Annotated[
    float | None,
    typer.Option(
        "--work-seconds", help=f"Mean work in a message of a CSV file or a rate. Default: {WORK_SECONDS:g} s."
    ),
]
Interval = Annotated[
    float | None, typer.Option(help="Seconds between the lines of a CSV file that has nothing but counts.")
]
Slo = Annotated[
    float | None,
    typer.Option(
        "--slo", help="Seconds a message may be old when its work ends. Default: what the service's scaling promises."
    ),
]
EngineName = Annotated[Engine, typer.Option(help="fluid: fast. exact: each message by itself.")]
Seed = Annotated[int, typer.Option(min=0, help="Of all chance: the same seed gives the same result.")]
Compare = Annotated[
    str | None,
    typer.Option(
        help="Told beside the first: another template or assembly, or another policy for the same service, such as "
        "'Scaling.on_queue_depth({100: 2}, max_tasks=20)' or 'KEDA(queue_length=100, max_tasks=20)'."
    ),
]
MaxMiss = Annotated[
    float | None, typer.Option(min=0, max=100, help="End with 1 if more percent of the messages are too old.")
]
MaxLost = Annotated[
    int | None,
    typer.Option(min=0, help="End with 1 if more messages expire or become dead letters, but for poison. Default: 0."),
]
MaxCost = Annotated[float | None, typer.Option(min=0, help="End with 1 if the tasks cost more dollars.")]
Assume = Annotated[
    list[str] | None,
    typer.Option(help=f"name=value, instead of a default; may be repeated. {listed()}."),
]
Page = Annotated[Path | None, typer.Option(help="Write charts of it to this HTML file, which needs nothing else.")]
Plot = Annotated[
    Path | None, typer.Option(help="Draw the same to this file, .png or .svg; a PNG needs matplotlib, a SVG nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Summary = Annotated[bool, typer.Option("--summary", help="With --json: leave out the minutes and the events.")]


def simulate(
    cdk_out: CdkOut = Path("cdk.out"),
    *,
    service: Service = None,
    load: LoadName = None,
    rate: Rate = None,
    work_seconds: Work = None,
    interval: Interval = None,
    slo: Slo = None,
    engine: EngineName = "fluid",
    seed: Seed = 0,
    compare: Compare = None,
    max_miss: MaxMiss = None,
    max_lost: MaxLost = None,
    max_cost: MaxCost = None,
    assume: Assume = None,
    page: Page = None,
    plot: Plot = None,
    as_json: Json = False,
    summary: Summary = False,
) -> None:
    """Predict how a synthesized service scales under a load: ages, misses, cost.

    Ends with 0, with 1 when a limit is broken, with 2 for what cannot be simulated. Limits hold for CDK_OUT.
    """
    try:
        assumptions = assuming(assume or ())
        work = load_of(load, rate=rate, work_seconds=work_seconds, interval=interval, seed=seed)
        first = read_service(cdk_out, name=service)
        if summary and not as_json:
            raise SimulationError("--summary goes with --json; without it, the summary is what is shown.")
        services = [(str(cdk_out), first)]
        if compare is not None:
            services.append((compare, _compared(compare, first, name=service)))
        shorts = short_names([title for title, _ in services])
        promised = slo_of(first, slo)
        refuse_too_short(work, slo=promised)
        studies: list[Study] = []
        with spinning(Console(stderr=True), "Simulating ..."):
            for (title, each), short in zip(services, shorts, strict=True):
                result = run(each, work, slo=promised, engine=engine, assumptions=assumptions, seed=seed)
                studies.append(Study(title=title, short=short, service=each, load=work, result=result))
        refuse_unreachable(
            first,
            work,
            studies[0].result,
            assumptions=assumptions,
            engine=engine,
            max_miss=max_miss or 0,
            seed=seed,
        )
        if page is not None:
            _write(page, page_of(studies).encode())
        if plot is not None:
            _write(plot, plot_of(studies, suffix=plot.suffix))
    except SimulationError as error:
        sys.stderr.write(f"{error}\n")
        raise typer.Exit(2) from None
    limits = limits_of(studies[0].result, max_miss=max_miss, max_cost=max_cost, max_lost=max_lost)
    if as_json:
        # Piece by piece: of a year the text alone would fill a hundred megabytes.
        for piece in json.JSONEncoder(indent=2).iterencode(_as_json(studies, limits, summary=summary)):
            sys.stdout.write(piece)
        sys.stdout.write("\n")
    else:
        show(console_for_people(), studies, limits)
    if not all(limit.kept for limit in limits):
        raise typer.Exit(1)


def console_for_people() -> Console:
    """Standard output. A log has no width of its own, and neither colours nor weights unless they are asked for."""
    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def short_names(titles: Sequence[str]) -> list[str]:
    """The last parts of paths and the methods of policies, where they differ; else with a letter."""
    shorts = [_short(title) for title in titles]
    if len(set(shorts)) == len(shorts):
        return shorts
    return [f"{letter}: {short}" for letter, short in zip("AB", shorts, strict=False)]


def _short(title: str) -> str:
    if title.startswith(BEGINS):
        return title.removeprefix("Scaling.").split("(")[0]
    return Path(title).name.removesuffix(".json").removesuffix(".template") or title


def _compared(what: str, first: ScaledService, *, name: str | None) -> ScaledService:
    """The service of another template, or the first one scaled by another policy."""
    if not what.startswith(BEGINS):
        return read_service(Path(what), name=name)
    policy = policy_of(what)
    if isinstance(policy, ForLatency) and not policy.fits(first):
        raise SimulationError(f"{what} is refused at synthesis: its tasks cannot keep that latency; raise min_tasks.")
    return policy.applied(first)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise SimulationError(f"{path} cannot be written: {error.strerror}.") from None


def load_of(
    name: str | None, *, rate: float | None, work_seconds: float | None, interval: float | None, seed: int
) -> Load:
    """A built-in load, a load from a CSV file or a steady rate.

    Raises:
        SimulationError: It is none of them, or the options do not fit each other.
    """
    if rate is None:
        return loads_of([name or DEFAULT_LOAD], work_seconds=work_seconds, interval=interval)(seed)[0]
    if name is not None:
        raise SimulationError("Give either --load or --rate, not both.")
    if interval is not None:
        raise SimulationError("--interval goes with a CSV file of counts; leave it out.")
    if not rate <= MOST_A_SECOND:
        raise SimulationError(f"A rate of {rate:g} messages a second is no load; make it at most {MOST_A_SECOND:,}.")
    return _working(steady(rate, seed=seed), work_seconds)


def loads_of(
    names: Sequence[str], *, work_seconds: float | None, interval: float | None
) -> Callable[[int], list[Load]]:
    """Built-in loads, made for a seed, and loads from CSV files, read once.

    Raises:
        SimulationError: A name is neither a built-in load nor a file.
    """
    files: dict[str, Load] = {}
    for name in names:
        if name not in BUILT_IN and (Path(name).suffix or Path(name).exists()):
            files[name] = _working(load_from_file(Path(name), interval=interval), work_seconds)
        elif name not in BUILT_IN:
            built_in(name)
    if len(files) < len(set(names)) and work_seconds is not None:
        raise SimulationError("The built-in loads have their own work; --work-seconds goes with a file or a rate.")
    if not files and interval is not None:
        raise SimulationError("--interval goes with a CSV file of counts; leave it out.")
    return lambda seed: [files[name] if name in files else built_in(name, seed=seed) for name in names]


def _working(load: Load, work_seconds: float | None) -> Load:
    if work_seconds is None:
        return load
    if not math.isfinite(work_seconds):
        raise SimulationError(f"Messages cannot take {work_seconds:g} s of work.")
    return replace(load, work_seconds=work_seconds)


def slo_of(service: ScaledService, given: float | None) -> float:
    """The age to hold messages to: the one given, else the latency for which the service's planner plans."""
    if given is None and service.planner is not None:
        given = service.planner.policy.get("acceptable_latency")
    if given is None:
        raise SimulationError(f"The scaling of {service.name} promises no latency; say with --slo what is acceptable.")
    if not (given > 0 and math.isfinite(given)):
        raise SimulationError(f"An SLO of {given:g} s is no age to hold messages to; make it more than 0.")
    return given


def _as_json(studies: list[Study], limits: list[Limit], *, summary: bool) -> dict[str, Any]:
    """The result; of two, the second below "compared" and what it adds below "difference"."""
    first, *others = (study.result for study in studies)
    value = first.as_json(summary=summary)
    value["verdict"] = verdict_of(studies).sentence
    value["limits"] = [{"name": limit.name, "most": limit.most, "kept": limit.kept} for limit in limits]
    for other in others:
        value["compared"] = other.as_json(summary=summary)
        value["difference"] = {figure.key: round(figure.value(other) - figure.value(first), 3) for figure in FIGURES}
    return value
