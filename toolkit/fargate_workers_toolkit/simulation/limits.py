"""Limits that a simulation must keep, for continuous integration."""

from dataclasses import dataclass

from fargate_workers_toolkit.simulation.result import Result


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit on one number of a result, and the number.

    Args:
        name: The number's name in JSON.
        most: The most it may be.
        seen: The number in the result.
        is_default: Whether the limit holds because none was asked for. Defaults to False.
    """

    name: str
    most: float
    seen: float
    is_default: bool = False

    @property
    def kept(self) -> bool:
        return self.seen <= self.most

    def sentence(self) -> str:
        """The verdict on the limit in one sentence."""
        verdict = "within" if self.kept else "above"
        if self.name == "lost":
            many = f"{self.seen:,.0f} messages are" if self.seen else "No message is"
            return f"{many} lost, expired or dead-lettered; the limit is {self.most:,g}."
        if self.name == "cost":
            return f"The cost, ${self.seen:,.2f}, is {verdict} the limit of ${self.most:,.2f}."
        return f"The messages too old or lost, {self.seen:.3g} %, are {verdict} the limit of {self.most:g} %."


def missed_percent(result: Result) -> float:
    """Percent of the messages that are missed; 0 where not one is: the fluid engine deals in parts of messages.

    Args:
        result: The result.
    """
    return result.missed_percent if result.missed >= 0.5 else 0.0


def lost(result: Result) -> float:
    """The lost messages, in whole messages.

    Args:
        result: The result.
    """
    return float(round(result.lost))


def limits_of(result: Result, *, max_miss: float | None, max_cost: float | None, max_lost: float | None) -> list[Limit]:
    """The limits that were set, and that of lost messages.

    Args:
        result: The result.
        max_miss: Percent of the messages that may be too old or lost; None sets no limit.
        max_cost: Dollars that the tasks may cost; None sets no limit.
        max_lost: Messages that may be lost; None allows none.
    """
    wanted = {
        "lost": (max_lost or 0, lost(result)),
        "missed_percent": (max_miss, missed_percent(result)),
        "cost": (max_cost, result.cost),
    }
    default = {"lost"} if max_lost is None else set[str]()
    return [
        Limit(name=name, most=most, seen=seen, is_default=name in default)
        for name, (most, seen) in wanted.items()
        if most is not None
    ]
