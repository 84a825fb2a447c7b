"""Limits of a system of messages, and how near a workload is to them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit and where it is documented.

    Args:
        most: The limit.
        source: The page that states it, or what else it is taken from.
    """

    most: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """How much of a limit a workload uses.

    Args:
        what: What is counted, in the plural, for example "calls a second in one message group".
        whose: Whose limit it is, for example "SQS".
        used: What the workload needs.
        limit: The limit.
        grows: Whether more of the same messages use more of it. Defaults to True.
    """

    what: str
    whose: str
    used: float
    limit: Limit
    grows: bool = True

    @property
    def share(self) -> float:
        """The used share; more than 1 is impossible."""
        return self.used / self.limit.most

    @property
    def sentence(self) -> str:
        """Need, limit and share, for a person."""
        percent = f"{100 * self.share:,.0f} %" if self.share >= 0.01 else "under 1 %"
        return f"{self.what}: {number(self.used)} of {number(self.limit.most)} ({percent})"


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """Why a system cannot carry a workload.

    Args:
        text: The reason, without a full stop.
        source: The page that states it, or what else it is taken from.
    """

    text: str
    source: str


def broken(gauges: Iterable[Gauge]) -> tuple[Obstacle, ...]:
    """An obstacle for each limit that does not suffice.

    Args:
        gauges: The gauges of a system.
    """
    return tuple(
        Obstacle(
            text=f"{number(gauge.used)} {gauge.what} are needed, and {gauge.whose} allows {number(gauge.limit.most)}",
            source=gauge.limit.source,
        )
        for gauge in gauges
        if gauge.share > 1
    )


def number(value: float) -> str:
    """A number as text: whole from 10, with two digits below.

    >>> number(1234.5), number(3.14159), number(0.000123)
    ('1,234', '3.1', '0.00012')

    Args:
        value: The number.
    """
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"
