"""The numbers a team asks for before deploying, each with its name and unit, for tables and pages."""

from collections.abc import Callable
from dataclasses import dataclass

from fargate_workers_toolkit.simulation.result import Result


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a result. `key`: its name in JSON. `judged`: whether it is an age to hold against the SLO."""

    key: str
    name: str
    value: Callable[[Result], float]
    text: Callable[[float], str]
    judged: bool = False

    def told(self, result: Result) -> str:
        return self.text(self.value(result))

    def difference(self, first: Result, second: Result) -> str:
        """What the second one adds, with its sign; "=" where it reads the same."""
        if self.told(first) == self.told(second):
            return "="
        change = self.value(second) - self.value(first)
        return ("+" if change > 0 else "-") + self.text(abs(change))


def seconds_text(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds < 100 else f"{seconds:,.0f} s"


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min"


FIGURES = (
    Figure(
        key="p50", name="Age, half of the messages", value=lambda result: result.p50, text=seconds_text, judged=True
    ),
    Figure(key="p99", name="Age, 99 of 100", value=lambda result: result.p99, text=seconds_text, judged=True),
    Figure(key="oldest", name="Age, oldest", value=lambda result: result.oldest, text=seconds_text, judged=True),
    Figure(key="missed", name="Messages too old", value=lambda result: result.missed, text=_count),
    Figure(
        key="missed_percent",
        name="Of all, too old",
        value=lambda result: result.missed_percent,
        text=lambda percent: f"{percent:.2f} %",
    ),
    Figure(key="task_hours", name="Task-hours", value=lambda result: result.task_hours, text=lambda n: f"{n:,.1f}"),
    Figure(key="cost", name="Cost", value=lambda result: result.cost, text=lambda dollars: f"${dollars:,.2f}"),
    Figure(key="peak", name="Most tasks wanted", value=lambda result: result.peak, text=_count),
    Figure(
        key="seconds_at_maximum",
        name="Time at the maximum",
        value=lambda result: result.seconds_at_maximum,
        text=_minutes,
    ),
    Figure(key="reversals", name="Reversals of scaling", value=lambda result: result.reversals, text=_count),
    Figure(key="expired", name="Messages expired", value=lambda result: result.expired, text=_count),
    Figure(key="dead_lettered", name="Messages dead-lettered", value=lambda result: result.dead_lettered, text=_count),
    Figure(key="killed", name="Messages killed in mid-work", value=lambda result: result.killed, text=_count),
    Figure(key="left", name="Messages left at the end", value=lambda result: result.left, text=_count),
)
