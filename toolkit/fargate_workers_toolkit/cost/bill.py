"""A bill: what a month costs, line by line."""

from collections.abc import Iterable
from dataclasses import dataclass

from fargate_workers_toolkit.cost.prices import Price

#: Hours of an average month.
HOURS = 730
#: Days of an average month.
DAYS = 365 / 12


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a bill.

    Args:
        what: What it is for.
        quantity: How many units of the price a month.
        price: The price.
    """

    what: str
    quantity: float
    price: Price

    @property
    def dollars(self) -> float:
        """What it costs a month."""
        return self.price.of(self.quantity)


@dataclass(frozen=True)
class Bill:
    """What a month costs.

    Args:
        lines: Its lines.
    """

    lines: tuple[Line, ...] = ()

    @property
    def dollars(self) -> float:
        """The sum of its lines."""
        return sum(line.dollars for line in self.lines)

    @property
    def unsure(self) -> tuple[Price, ...]:
        """Its prices that are not confirmed, each once."""
        return tuple({line.price.name: line.price for line in self.lines if line.price.status != "confirmed"}.values())

    def plus(self, lines: Iterable[Line]) -> "Bill":
        """Return this bill with further lines.

        Args:
            lines: The lines to add.
        """
        return Bill((*self.lines, *lines))
