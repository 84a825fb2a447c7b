"""What a simulation found, for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fargate_workers_toolkit.simulation.figures import FIGURES, Figure
from fargate_workers_toolkit.simulation.limits import Limit
from fargate_workers_toolkit.simulation.pictures.moments import clock, moments_that_mattered
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.study import Study


def show(console: Console, studies: Sequence[Study], limits: Sequence[Limit]) -> None:
    """One study, or two side by side with the difference; then what happened, and the limits."""
    result = studies[0].result
    console.print(_figures(studies))
    console.print(
        Text(f"Ages are until the end of a message's work; the SLO is {result.slo:g} s. ", style="dim")
        + Text(f"{result.sent:,} messages in {_length(result.seconds)}, {result.engine} engine.", style="dim")
    )
    for study in studies:
        console.print()
        console.print(_moments(study, several=len(studies) > 1))
    for limit in limits:
        mark = Text("✓ ", style="green") if limit.kept else Text("✗ ", style="red")
        console.print(mark + Text(limit.sentence()), soft_wrap=True)


def _figures(studies: Sequence[Study]) -> Table:
    first, *others = studies
    table = Table(title=_title(studies), title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("", overflow="fold")
    for study in studies:
        table.add_column(Text(study.title if others else "Predicted"), justify="right", overflow="fold")
    if others:
        table.add_column("Difference", justify="right")
    for figure in FIGURES:
        cells = [_cell(figure, study.result) for study in studies]
        cells += [Text(figure.difference(first.result, other.result)) for other in others]
        table.add_row(figure.name, *cells)
    return table


def _title(studies: Sequence[Study]) -> Text:
    names = " and ".join(dict.fromkeys(study.service.name for study in studies))
    return Text(f"{names} under {studies[0].load.name}")


def _cell(figure: Figure, result: Result) -> Text:
    told = figure.told(result)
    if not figure.judged:
        return Text(told)
    kept = figure.value(result) <= result.slo
    return Text.assemble(("✓ ", "green") if kept else ("✗ ", "red"), told)


def _moments(study: Study, *, several: bool) -> Table:
    title = f"What mattered with {study.title}" if several else "What mattered"
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    table.show_header = False
    for moment in moments_that_mattered(study.result, most=6 if several else 12):
        table.add_row(Text(moment.when, style="dim"), Text(moment.what))
    if not table.row_count:
        table.add_row(Text(clock(0), style="dim"), Text("nothing scaled, and nothing was too old"))
    return table


def _length(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds % 900 == 0 else f"{seconds:,} s"
