"""What a service has to do: messages a second, the work in each, and what goes wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.errors import SimulationError

Counts = NDArray[np.int64]
Seconds = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Load:
    """One entry a second in every array.

    arrivals: Messages sent.
    work_seconds: The mean time one message takes a handler, for all or by the second in which its work begins.
    outage: In which seconds every attempt fails. Default: none.
    poison: Messages sent beside `arrivals` that fail whenever they are tried. Default: none.
    groups: How many message groups a FIFO queue gets them in, at random. Default: 1000.
    Raises SimulationError for a load that is empty, negative or of uneven lengths.
    """

    name: str
    arrivals: Counts
    work_seconds: Seconds | float = 0.5
    outage: Flags | None = None
    poison: Counts | None = None
    groups: int = 1000

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
        """Everything sent."""
        return int(self.arrivals.sum()) + (0 if self.poison is None else int(self.poison.sum()))

    @property
    def work_by_second(self) -> Seconds:
        """`work_seconds`, one entry a second."""
        return np.broadcast_to(np.asarray(self.work_seconds, dtype=np.float64), (self.seconds,))
