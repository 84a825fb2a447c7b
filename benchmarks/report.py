"""Promises and what was measured, side by side: one form for every benchmark, as tables or as JSON."""

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was measured together.

    Attributes:
        measures: What, in a sentence.
        rows: The promises and what was measured of each.
        beside: What it should be read with, as plain values.
    """

    measures: str
    rows: Sequence[Row]
    beside: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def kept(self) -> bool:
        return all(row.kept for row in self.rows)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for a program."""
        return {
            "measures": self.measures,
            "values": {row.name: round(row.value, 4) for row in self.rows},
            "bound": {row.name: row.promise for row in self.rows if row.promise},
            "kept": self.kept,
            "beside": dict(self.beside),
        }


def publish(checks: Mapping[str, Check], *, as_json: bool, machine: Mapping[str, Any] | None = None) -> int:
    """Print the checks, and return the exit code: 1 when a promise is not kept.

    Args:
        checks: What was measured, by name.
        as_json: Whether one JSON object is printed instead of tables.
        machine: More of what the figures depend on, such as versions. Default: nothing.
    """
    if as_json:
        stands_on = {"python": platform.python_version(), "cpus": os.cpu_count(), **(machine or {})}
        print(json.dumps({**stands_on, "rows": {name: each.as_json() for name, each in checks.items()}}, indent=2))
    else:
        for each in checks.values():
            show(each.rows, title=each.measures)
    return 0 if all(each.kept for each in checks.values()) else 1


def show(rows: Sequence[Row], *, title: str) -> None:
    """Print the table; without colours where NO_COLOR says so, or where nobody looks."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for heading in ("what", "promise", "measured", "", "beside it"):
        table.add_column(heading, justify="right" if heading in ("promise", "measured") else "left")
    for row in rows:
        table.add_row(row.name, row.promise, f"{row.value:,.{row.digits}f}", row.mark, row.beside)
    Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH).print(table)
