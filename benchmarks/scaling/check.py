"""One promise with everything that was measured for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.report import Row


@dataclass(frozen=True, kw_only=True)
class Check:
    """`measures`: what, in a sentence. `beside`: what it should be read with, as plain values."""

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
