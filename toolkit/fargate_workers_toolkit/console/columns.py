"""A table that becomes a list of facts where the terminal is too narrow for it, as on a phone."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from fargate_workers_toolkit.console.hanging import Hanging

_GAP = 2


def show_columns(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]], *, wrap: int = -1) -> None:
    """Print rows below each other, or each row as a list of its facts where they do not fit.

    Args:
        console: The terminal.
        names: The names of the columns.
        rows: The cells of each row.
        wrap: The column that gives way when the others leave it room for a dozen characters. Defaults to the last.
    """
    wrap %= len(names)
    widths = [max(cell_len(row[place]) for row in (names, *rows)) for place in range(len(names))]
    others = sum(widths) - widths[wrap] + _GAP * (len(names) - 1)
    room = console.width - others
    if room < min(widths[wrap], 12):
        _show_facts(console, names, rows)
        return
    widths[wrap] = min(widths[wrap], room)
    _show_row(console, names, widths, wrap, style="dim")
    for row in rows:
        _show_row(console, row, widths, wrap)


def _show_row(console: Console, row: Sequence[str], widths: Sequence[int], wrap: int, *, style: str = "") -> None:
    pieces = Text(row[wrap]).wrap(console, max(1, widths[wrap])) or [Text("")]
    for number, piece in enumerate(pieces):
        cells = [piece.plain if place == wrap else (cell if number == 0 else "") for place, cell in enumerate(row)]
        line = (" " * _GAP).join(_padded(cell, width) for cell, width in zip(cells, widths, strict=True))
        console.print(Text(line.rstrip(), style=style), soft_wrap=True)


def _show_facts(console: Console, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        console.print(Text(f"{names[0]} {row[0]}", style="bold"))
        for name, cell in zip(names[1:], row[1:], strict=True):
            if cell:
                console.print(Hanging(Text.assemble((f"{name} ", "dim"), cell)))


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))
