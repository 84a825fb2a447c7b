"""FIFO groups under the planner: no more tasks than groups keep busy, and no slower where there are many groups."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from benchmarks.scaling.services import for_latency
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control
from fargate_workers_toolkit.simulation.control.observation import Observation
from fargate_workers_toolkit.simulation.control.planner import WorkerPlanner
from fargate_workers_toolkit.simulation.engines.exact.run import ExactRun
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, Source, Task

HOUR, CONCURRENCY = 3_600, 4
ASSUMPTIONS = Assumptions()


class Blind(WorkerPlanner):
    """The same planner without the metric."""

    def plan(self, seen: Observation, *, desired: int) -> Mapping[Source, float]:
        return super().plan(seen._replace(groups=None), desired=desired)


def running(load: Load, *, planner: type[WorkerPlanner] = WorkerPlanner, fifo: bool = True) -> Sequence[int]:
    """The running tasks of each minute."""
    task = Task(protected=True, concurrency=CONCURRENCY)
    service = for_latency(processing_time=1, queue=Queue(fifo=fifo, visibility_timeout=120), task=task)
    assert service.planner is not None
    control = Control(service, assumptions=ASSUMPTIONS, planner=planner(service.planner, assumptions=ASSUMPTIONS))
    return ExactRun(service, load, control, assumptions=ASSUMPTIONS, seed=1).run().minutes.running


def too_many(groups: int) -> Load:
    """After half an hour of quiet, an hour of twice as many messages as the groups can be worked off by anybody."""
    arrivals = np.zeros(2 * HOUR, dtype=np.int64)
    arrivals[:1_800:10] = 1
    arrivals[1_800 : 1_800 + HOUR] = 2 * groups
    return Load(name="few groups", arrivals=arrivals, work_seconds=1.0, groups=groups)


@pytest.mark.parametrize("groups", [1, 3, 8, 20])
def test_more_tasks_than_the_groups_keep_busy_do_not_stay(groups: int) -> None:
    enough = ceil(groups / CONCURRENCY)

    tasks = running(too_many(groups))[30:90]

    assert sorted(tasks)[len(tasks) // 2] <= enough + 1
    assert max(tasks[10:]) <= 2 * enough + 1


def test_without_the_groups_more_tasks_would_stay() -> None:
    load = too_many(20)

    assert sum(running(load)[30:90]) < sum(running(load, planner=Blind)[30:90])


def test_many_groups_are_worked_off_as_a_standard_queue_is() -> None:
    burst = np.zeros(HOUR, dtype=np.int64)
    burst[::2] = 4
    burst[900:960] = 200
    load = Load(name="many groups", arrivals=burst, work_seconds=1.0, groups=5_000)
    first = slice(14, 20)

    fifo, standard = running(load)[first], running(load, fifo=False)[first]

    assert max(fifo) >= 0.8 * max(standard)
    assert running(replace(load, groups=5_000), planner=Blind)[first] == fifo
