"""Draw the plots of docs/scaling.md, and measure its scores, from templates synthesized here.

python -m tools.draw_plots
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import App, Duration, Stack
from aws_cdk import aws_ecs as ecs

from fargate_workers import QueueWorker, Scaling, WorkerCluster
from fargate_workers_toolkit.reports.plot import plot
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.simulation.figures import seconds_text
from fargate_workers_toolkit.simulation.loads.built_in import BUILT_IN, built_in
from fargate_workers_toolkit.simulation.reading.services import read_service
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
DOCUMENT = ROOT / "docs" / "scaling.md"
CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]

SLO = 300
SCALINGS: Mapping[str, Scaling] = {
    "for_latency": Scaling.for_latency(max_tasks=50),
    "for_latency(function=False)": Scaling.for_latency(
        function=False, processing_time=Duration.millis(500), max_tasks=50
    ),
    "on_queue_depth": Scaling.on_queue_depth(max_tasks=50),
    # 300 s / 0.5 s a message, one at a time.
    "on_backlog_per_task": Scaling.on_backlog_per_task(600, max_tasks=50),
}
MINUTES = (3, 5, 15, 30)
PATIENT: Mapping[str, Scaling] = {
    f"within_{minutes}_minutes": Scaling.for_latency(acceptable_latency=Duration.minutes(minutes), max_tasks=50)
    for minutes in MINUTES
}
# Of what takes 0.5 s.
GUESSES = (0.05, 0.5, 2.0)
GUESSED: Mapping[str, Scaling] = {
    f"{how}_{guess:g}": Scaling.for_latency(
        function=how == "measured", processing_time=Duration.millis(round(1000 * guess)), max_tasks=50
    )
    for guess in GUESSES
    for how in ("measured", "told")
}
DRAWN = (
    ("for_latency", "burst"),
    ("on_queue_depth", "burst"),
    ("for_latency", "heavy"),
    ("on_backlog_per_task", "heavy"),
)
LOADS = [name for name in BUILT_IN if name != "drip"]
FEW_LOADS = ("burst", "diurnal")


def generated() -> dict[Path, str]:
    """Every generated file with the text it should have."""
    with TemporaryDirectory() as folder:
        app = Path(folder)
        _synthesize(app)
        studies = {(name, load): _study(app, name, load, slo=SLO) for name in SCALINGS for load in LOADS}
        patient = [
            [_study(app, name, load, slo=60 * minutes).result for load in FEW_LOADS]
            for minutes, name in zip(MINUTES, PATIENT, strict=True)
        ]
        guessed = {(name, load): _study(app, name, load, slo=SLO).result for name in GUESSED for load in FEW_LOADS}
    files = {PICTURES / f"{name}-{load}.svg": plot([studies[name, load]], suffix=".svg") for name, load in DRAWN}
    scores = _scores({key: study.result for key, study in studies.items()})
    document = DOCUMENT.read_text()
    for name, table in (("scores", scores), ("latencies", _latencies(patient)), ("guesses", _guesses(guessed))):
        before, after = document.split(f"<!-- {name} -->\n")
        rest = after[after.index("\n<!-- / -->") :]
        document = f"{before}<!-- {name} -->\n{table}{rest}"
    return {path: content.decode() for path, content in files.items()} | {DOCUMENT: document}


def _synthesize(folder: Path) -> None:
    app = App(outdir=str(folder), context={**CONTEXT, "aws:cdk:enable-path-metadata": True})
    stack = Stack(app, "Orders")
    cluster = WorkerCluster(stack, "Cluster", network="nat")
    image = ecs.ContainerImage.from_registry("registry.example.com/orders:1.4.2")
    for name, scaling in {**SCALINGS, **PATIENT, **GUESSED}.items():
        QueueWorker(stack, _id(name), cluster=cluster, image=image, concurrency=1, scaling=scaling)
    app.synth()


def _id(name: str) -> str:
    return re.sub(r"\W|_", "", name.title())


def _study(folder: Path, name: str, load: str, *, slo: float) -> Study:
    service, work = read_service(folder, name=_id(name)), built_in(load)
    return Study(title=name, service=service, load=work, result=simulate(service, work, slo=slo))


def _scores(results: Mapping[tuple[str, str], Result]) -> str:
    """Loads below each other, scalings next to each other."""
    rows = [[f"`{load}`", *(_score([results[name, load]]) for name in SCALINGS)] for load in LOADS]
    rows += [["all", *(_score([results[name, load] for load in LOADS]) for name in SCALINGS)]]
    return _table(["", *(f"`{name}`" for name in SCALINGS)], rows)


def _score(results: Sequence[Result]) -> str:
    return f"{_late_and_hours(results)} · {sum(result.reversals for result in results)}"


def _late_and_hours(results: Sequence[Result]) -> str:
    missed = sum(result.missed for result in results)
    late = 100 * missed / sum(result.sent for result in results)
    share = "0" if missed < 0.5 else f"{late:.2f}" if late >= 0.01 else "< 0.01"
    return f"{share} % · {sum(result.task_hours for result in results):,.0f} h"


def _latencies(patient: Sequence[Sequence[Result]]) -> str:
    rows = [
        [f"{minutes} minutes", *(f"{seconds_text(result.oldest)} · {result.task_hours:,.0f} h" for result in results)]
        for minutes, results in zip(MINUTES, patient, strict=True)
    ]
    return _table(["`acceptable_latency`", *(f"`{load}`" for load in FEW_LOADS)], rows)


def _guesses(guessed: Mapping[tuple[str, str], Result]) -> str:
    columns = [(how, load) for load in FEW_LOADS for how in ("measured", "told")]
    rows = [
        [f"{guess:g} s", *(_late_and_hours([guessed[f"{how}_{guess:g}", load]]) for how, load in columns)]
        for guess in GUESSES
    ]
    return _table(["`processing_time`", *(f"`{load}`, {how}" for how, load in columns)], rows)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [heading, ["---", *("---:" for _ in heading[1:])], *rows])


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
