"""One simulated service with what it was asked to do, for tables and pages."""

from dataclasses import dataclass

import numpy as np

from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.result import Result


@dataclass(frozen=True, kw_only=True)
class Study:
    """`title`: how people tell it from another one."""

    title: str
    service: ScaledService
    load: Load
    result: Result

    def needed_tasks(self) -> list[float]:
        """How many tasks the arrivals of each minute keep busy."""
        load = self.load
        arrivals = load.arrivals if load.poison is None else load.arrivals + load.poison
        begins = np.arange(0, load.seconds, 60)
        lengths = np.diff(np.append(begins, load.seconds))
        work = np.add.reduceat(arrivals * load.work_by_second, begins) / lengths
        return (work / self.service.task.concurrency).tolist()
