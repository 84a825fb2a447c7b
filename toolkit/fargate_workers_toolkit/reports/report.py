"""What a simulation found, for a terminal."""

from collections.abc import Sequence

from rich.box import HEAVY_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fargate_workers_toolkit.reports.moments import clock, moments_that_mattered
from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.reports.verdict import verdict_of
from fargate_workers_toolkit.simulation import FIGURES, Figure, Limit, Result

# Columns of a terminal below which a table has no room for lines.
NARROW = 60


def show(console: Console, studies: Sequence[Study], limits: Sequence[Limit]) -> None:
    """The report on a terminal: one study, or two side by side with the difference; then the events, and the limits.

    Args:
        console: The terminal.
        studies: One or two studies.
        limits: The limits of the first study.
    """
    result = studies[0].result
    kept, sentence = verdict_of(studies)
    console.print(_figures(studies, narrow=console.width < NARROW))
    console.print(_marked(kept=kept) + Text(sentence, style="bold"))
    for study in studies if len(studies) > 1 else ():
        if study.name != study.title:
            console.print(Text(f"{study.name}: {study.title}", style="dim"))
    console.print(
        Text(f"Ages are until the end of a message's work; the SLO is {result.slo:g} s. ", style="dim")
        + Text(f"{result.sent:,} messages in {_length(result.seconds)}, {result.engine} engine.", style="dim")
    )
    for study in studies:
        console.print()
        console.print(_moments(study, several=len(studies) > 1))
    for limit in limits:
        if not limit.is_default:
            console.print(_marked(kept=limit.kept) + Text(limit.sentence()), soft_wrap=True)


def _marked(*, kept: bool) -> Text:
    return Text("✓ ", style="green") if kept else Text("✗ ", style="red")


def _figures(studies: Sequence[Study], *, narrow: bool) -> Table:
    first, *others = studies
    box = None if narrow else HEAVY_HEAD
    table = Table(title=_title(studies), title_justify="left", title_style="bold", pad_edge=False, box=box)
    table.add_column("", overflow="fold", min_width=10)
    for study in studies:
        table.add_column(Text(study.name if others else "Predicted"), justify="right", overflow="fold")
    if others:
        table.add_column("Change" if narrow else "Difference", justify="right", overflow="fold")
    for figure in FIGURES:
        cells = [_cell(figure, study.result) for study in studies]
        cells += [Text(figure.difference(first.result, other.result)) for other in others]
        table.add_row(figure.name, *cells)
    return table


def _title(studies: Sequence[Study]) -> Text:
    names = " and ".join(dict.fromkeys(study.service.name for study in studies))
    return Text(f"{names} under {studies[0].load.name}")


def _cell(figure: Figure, result: Result) -> Text:
    text = figure.format(result)
    if not figure.judged:
        return Text(text)
    kept = figure.value(result) <= result.slo
    return Text.assemble(("✓ ", "green") if kept else ("✗ ", "red"), text)


def _moments(study: Study, *, several: bool) -> Table:
    title = f"What mattered with {study.name}" if several else "What mattered"
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    table.show_header = False
    moments = moments_that_mattered(study.result, most=6 if several else 12)
    for moment in moments.shown:
        table.add_row(Text(moment.when, style="dim"), Text(moment.what))
    if moments.rest:
        table.add_row("", Text(moments.rest, style="dim"))
    if not table.row_count:
        table.add_row(Text(clock(0), style="dim"), Text("nothing scaled, and nothing was too old"))
    return table


def _length(seconds: int) -> str:
    return f"{seconds / 3600:g} h" if seconds % 900 == 0 else f"{seconds:,} s"
