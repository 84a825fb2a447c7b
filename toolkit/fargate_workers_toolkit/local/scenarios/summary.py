"""How a run ended: a table for people, JSON for programs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fargate_workers_toolkit.local.scenarios.checks import Check


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of a run.

    Args:
        checks: What it came to.
        seconds: How long each step took.
    """

    checks: Sequence[Check]
    seconds: Mapping[str, float]

    @property
    def passed(self) -> bool:
        """Whether every check holds, and there was one."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values of JSON."""
        return {
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "seconds": dict(self.seconds),
        }

    def show(self, console: Console) -> None:
        """Print it as a table.

        Args:
            console: What it is printed to.
        """
        table = Table(title="What happened", title_justify="left", title_style="bold", pad_edge=False)
        for heading in ("", "Check", "Expected", "Seen"):
            table.add_column(heading, overflow="fold")
        for check in self.checks:
            mark = Text("✓", style="green") if check.passed else Text("✗", style="red")
            table.add_row(mark, Text(check.name), Text(check.expected), Text(check.seen))
        console.print(table)
        failed = sum(not check.passed for check in self.checks)
        verdict = "Every check holds." if self.passed else f"{failed} of {len(self.checks)} checks failed."
        console.print(Text(verdict, style="green" if self.passed else "red"))
