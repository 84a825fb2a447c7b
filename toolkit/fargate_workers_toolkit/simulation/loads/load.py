"""A load: messages a second, the work in each, and what goes wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.errors import SimulationError

Counts = NDArray[np.signedinteger[Any]]
Seconds = NDArray[np.float64]
Flags = NDArray[np.bool_]


def smallest(most: float) -> type[np.signedinteger[Any]]:
    """The smallest type that holds counts of so many: a year has 31.5 million seconds."""
    return next((kind for kind in (np.int16, np.int32) if most <= np.iinfo(kind).max), np.int64)


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load, with one entry a second in every array.

    Args:
        name: Its name, for people.
        arrivals: Messages sent.
        work_seconds: The mean time one message takes a handler, for all or by the second in which its work begins.
            Defaults
            to 0.5.
        outage: Whether every attempt fails. Defaults to None: none does.
        poison: Messages sent in addition to `arrivals` that fail whenever they are tried. Defaults to None: there are
            none.
        groups: How many message groups a FIFO queue gets them in, at random. Defaults to 1000.
        begin: The first second, since 1970. Defaults to None: midnight of a day without a date, in UTC.

    Raises:
        SimulationError: The load is empty, negative or of uneven lengths.
    """

    name: str
    arrivals: Counts
    work_seconds: Seconds | float = 0.5
    outage: Flags | None = None
    poison: Counts | None = None
    groups: int = 1000
    begin: float | None = None

    def __post_init__(self) -> None:
        if len(self.arrivals) == 0 or self.arrivals.sum() == 0 or self.arrivals.min() < 0:
            what = "has a second with fewer than 0 messages" if self._negative else "has no messages"
            raise SimulationError(f"The load {self.name} {what}.")
        parts: tuple[Any, ...] = (self.work_seconds, self.outage, self.poison)
        if any(np.ndim(part) == 1 and len(part) != len(self.arrivals) for part in parts):
            raise SimulationError(f"The load {self.name} has arrays of different lengths.")
        if np.min(self.work_seconds) <= 0:
            raise SimulationError(f"The load {self.name} has messages without work; make it more than 0 seconds.")
        if self.poison is not None and self.poison.min() < 0:
            raise SimulationError(f"The load {self.name} has a second with fewer than 0 poison messages.")

    @property
    def _negative(self) -> bool:
        return bool((self.arrivals < 0).any())

    @property
    def seconds(self) -> int:
        return len(self.arrivals)

    @property
    def messages(self) -> int:
        """The number of all messages sent."""
        return int(self.arrivals.sum()) + (0 if self.poison is None else int(self.poison.sum()))

    @property
    def sent(self) -> Counts:
        """Messages sent in each second, with poison."""
        return self.arrivals if self.poison is None else self.arrivals + self.poison

    @property
    def work_by_second(self) -> Seconds:
        """`work_seconds`, one entry a second."""
        return np.broadcast_to(np.asarray(self.work_seconds, dtype=np.float64), (self.seconds,))
