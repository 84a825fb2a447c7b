"""The numbers a team asks for before deploying, each with its name and unit, for tables and pages."""

from collections.abc import Callable
from dataclasses import dataclass

from fargate_workers_toolkit.simulation.result import Result


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a result.

    Args:
        key: Its name in JSON.
        name: Its name for people.
        value: The number of a result.
        text: The number as text, with its unit.
        judged: Whether it is an age to hold against the SLO. Defaults to False.
    """

    key: str
    name: str
    value: Callable[[Result], float]
    text: Callable[[float], str]
    judged: bool = False

    def format(self, result: Result) -> str:
        """The number of a result as text, with its unit.

        Args:
            result: The result.
        """
        return self.text(self.value(result))

    def difference(self, first: Result, second: Result) -> str:
        """The change from one result to another, with its sign; "=" where both read the same.

        Args:
            first: The result to compare with.
            second: The result that is compared.
        """
        if self.format(first) == self.format(second):
            return "="
        change = self.value(second) - self.value(first)
        return ("+" if change > 0 else "-") + self.text(abs(change))


def seconds_text(seconds: float) -> str:
    """Seconds as text, with a decimal below 100.

    Args:
        seconds: A duration, in seconds.
    """
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
    Figure(key="missed", name="Too old or lost", value=lambda result: result.missed, text=_count),
    Figure(
        key="missed_percent",
        name="Of all, too old or lost",
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
    Figure(key="lost", name="Messages lost, poison aside", value=lambda result: result.lost, text=_count),
    Figure(key="expired", name="Messages expired", value=lambda result: result.expired, text=_count),
    Figure(key="dead_lettered", name="Messages dead-lettered", value=lambda result: result.dead_lettered, text=_count),
    Figure(key="killed", name="Messages killed in mid-work", value=lambda result: result.killed, text=_count),
    Figure(key="left", name="Messages left at the end", value=lambda result: result.left, text=_count),
)
