"""Limits that a simulation must keep, for continuous integration."""

from dataclasses import dataclass

from fargate_workers_toolkit.simulation.result import Result


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most that may be, and what was seen. `name`: of the number in JSON."""

    name: str
    most: float
    seen: float

    @property
    def kept(self) -> bool:
        return self.seen <= self.most

    def sentence(self) -> str:
        verdict = "within" if self.kept else "above"
        if self.name == "cost":
            return f"The cost, ${self.seen:,.2f}, is {verdict} the limit of ${self.most:,.2f}."
        return f"The messages too old, {self.seen:.3g} %, are {verdict} the limit of {self.most:g} %."


def missed_percent(result: Result) -> float:
    """Of the messages; nothing where not one is missed: the fluid engine deals in parts of messages."""
    return result.missed_percent if result.missed >= 0.5 else 0.0


def limits_of(result: Result, *, max_miss: float | None, max_cost: float | None) -> list[Limit]:
    """Those that were set."""
    wanted = {"missed_percent": (max_miss, missed_percent(result)), "cost": (max_cost, result.cost)}
    return [Limit(name=name, most=most, seen=seen) for name, (most, seen) in wanted.items() if most is not None]
