"""One simulated service with what it was asked to do, for tables and pages."""

from dataclasses import dataclass

import numpy as np

from fargate_workers_toolkit.simulation import Result, ScaledService
from fargate_workers_toolkit.simulation.engines import CHUNK
from fargate_workers_toolkit.simulation.loads import Load


@dataclass(frozen=True, kw_only=True)
class Study:
    """One simulated service with its load and its result.

    Args:
        title: The name that sets it apart from another one.
        short: The same in a few letters. Defaults to the title.
        service: The service.
        load: The load that it had.
        result: The result of the simulation.
    """

    title: str
    short: str = ""
    service: ScaledService
    load: Load
    result: Result

    @property
    def name(self) -> str:
        """The shortest name, for headings."""
        return self.short or self.title

    def needed_tasks(self) -> list[float]:
        """The tasks that the arrivals of each minute keep busy."""
        load = self.load
        arrivals = load.sent
        needed: list[float] = []
        # A year all at once would take more memory than all of the simulation.
        for first in range(0, load.seconds, CHUNK):
            part = slice(first, first + CHUNK)
            work = arrivals[part] * load.work_by_second[part]
            begins = np.arange(0, len(work), 60)
            lengths = np.diff(np.append(begins, len(work)))
            needed += (np.add.reduceat(work, begins) / lengths / self.service.task.concurrency).tolist()
        return needed
