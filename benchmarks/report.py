"""Promises and what was measured, side by side."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table

#: Of the table where it is not printed on a terminal, whose own it takes there.
_WIDTH = 180


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the report.

    Attributes:
        most, least: What is promised. Default: nothing; the value is only reported.
        digits: After the point.
        beside: What else belongs to it: peers, spread, parts.
    """

    name: str
    value: float
    most: float | None = None
    least: float | None = None
    digits: int = 0
    beside: str = ""

    @property
    def kept(self) -> bool:
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    @property
    def promise(self) -> str:
        if self.most is not None and self.most in (self.least, 0):
            return f"{self.most:g}"
        if self.most is not None and self.least is not None:
            return f"{self.least:g} to {self.most:g}"
        if self.most is not None:
            return f"<= {self.most:g}"
        return "" if self.least is None else f">= {self.least:g}"

    @property
    def mark(self) -> str:
        if self.most is None and self.least is None:
            return ""
        return "[green]kept[/]" if self.kept else "[red]BROKEN[/]"


def show(rows: Sequence[Row], *, title: str) -> None:
    """Print the table; without colours where NO_COLOR says so, or where nobody looks."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("what", "promise", "measured", "", "beside it"):
        table.add_column(heading, justify="right" if heading in ("promise", "measured") else "left")
    for row in rows:
        table.add_row(row.name, row.promise, f"{row.value:,.{row.digits}f}", row.mark, row.beside)
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH).print(table)
