"""What is tried: for a latency, by depth and by backlog per task, around what the loads need."""

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import get_args

import numpy as np

from fargate_workers_toolkit.simulation import (
    ForLatency,
    ForLatencyInMath,
    Mode,
    OnBacklogPerTask,
    OnQueueDepth,
    Policy,
    ScaledService,
)
from fargate_workers_toolkit.simulation.loads import Load

# Most tasks: as many times those that would always have to run; there should be room for more than was foreseen.
MAX_TASKS = (1.5, 2, 3)
# Fewest tasks: as large a share of those.
MIN_TASKS = (0.15, 0.4)
# Latencies to plan for: as large a share of the SLO.
LATENCIES = (1.0, 0.85, 0.7, 0.5)
LATENCIES_IN_MATH = (1.0, 0.7)
# Messages that one task works off within the SLO: the share of them in a backlog, or from which on tasks are added.
BACKLOGS = (1.0, 0.75, 0.5, 0.35, 0.25, 0.15)
DEPTHS = (0.1, 0.3, 1.0)
# The share of the most tasks that the first step adds; three and ten times the depth add as many times the tasks.
ADDED = (0.02, 0.05, 0.12)
GROWTH = (1, 3, 10)
# ECS's quota for a service: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
MOST_TASKS = 5_000
# Seconds without a message after which a service with min_tasks=0 sleeps, and tries it.
PAUSE = 180


def candidates(
    service: ScaledService, loads: Sequence[Load], *, slo: float, warm: int, max_tasks: int | None = None
) -> list[Policy]:
    """The policies to try, none twice, the plainest first.

    Args:
        service: The service.
        loads: The loads.
        slo: The acceptable age of a message at the end of its work, in seconds.
        warm: Tasks that would have to run always.
        max_tasks: The most tasks of a policy. Defaults to what the loads need.
    """
    work = max(float(np.mean(load.work_seconds)) for load in loads)
    messages = slo * service.task.concurrency / work
    most = _most(service, warm=warm, limit=max_tasks)
    fewest = sorted({1, service.bounds.minimum, *(round(share * warm) for share in MIN_TASKS)} - {0})
    every = [
        *_for_latency(slo=slo, work=work, fewest=[*fewest, 0] if _pauses(loads) else fewest, most=most),
        *_without_function(slo=slo, work=work, fewest=fewest, most=most),
        *_on_backlog(messages, fewest=fewest, most=most),
        *_on_depth(messages, fewest=fewest, most=most),
    ]
    return [
        policy
        for policy in dict.fromkeys(every)
        if policy.min_tasks <= policy.max_tasks and (not isinstance(policy, ForLatency) or policy.fits(service))
    ]


def readable(number: float) -> int:
    """Not below, and in few digits: a policy is nothing to be exact about."""
    if number <= 20:
        return math.ceil(number)
    unit = 5 * 10 ** (len(str(int(number))) - 2)
    return math.ceil(number / unit) * unit


def _most(service: ScaledService, *, warm: int, limit: int | None) -> list[int]:
    """Never fewer than the template's own: one day in a file is no reason to take room away."""
    present = service.bounds.maximum
    wanted = {max(readable(times * warm), present) for times in MAX_TASKS}
    return sorted({min(tasks, limit or MOST_TASKS, MOST_TASKS) for tasks in wanted})


def _pauses(loads: Sequence[Load]) -> bool:
    """Whether a service could sleep: in some load nothing comes for a while."""
    return any(int(np.diff(np.flatnonzero(load.arrivals), append=load.seconds).max()) > PAUSE for load in loads)


def _for_latency(*, slo: float, work: float, fewest: Sequence[int], most: Sequence[int]) -> Iterator[ForLatency]:
    guess = max(round(work, 1 if work > 0.1 else 3), 0.001)
    for share, min_tasks, max_tasks, mode in product(LATENCIES, fewest, most, get_args(Mode)):
        yield ForLatency(
            acceptable_latency=max(math.floor(share * slo), 1),
            processing_time=guess,
            min_tasks=min_tasks,
            max_tasks=max_tasks,
            mode=mode,
        )


def _without_function(
    *, slo: float, work: float, fewest: Sequence[int], most: Sequence[int]
) -> Iterator[ForLatencyInMath]:
    """The policies without the function, with fewer latencies: what works with it works alike without."""
    for each in _for_latency(slo=slo, work=work, fewest=fewest, most=most):
        if each.acceptable_latency in {max(math.floor(share * slo), 1) for share in LATENCIES_IN_MATH}:
            yield ForLatencyInMath(
                acceptable_latency=each.acceptable_latency,
                processing_time=each.processing_time,
                min_tasks=each.min_tasks,
                max_tasks=each.max_tasks,
                mode=each.mode,
            )


def _on_backlog(messages: float, *, fewest: Sequence[int], most: Sequence[int]) -> Iterator[OnBacklogPerTask]:
    for share, min_tasks, max_tasks in product(BACKLOGS, fewest, most):
        yield OnBacklogPerTask(messages=max(math.floor(share * messages), 1), min_tasks=min_tasks, max_tasks=max_tasks)


def _on_depth(messages: float, *, fewest: Sequence[int], most: Sequence[int]) -> Iterator[OnQueueDepth]:
    for share, added, min_tasks, max_tasks in product(DEPTHS, ADDED, fewest, most):
        depth, add = max(readable(share * messages), 2), max(round(added * max_tasks), 1)
        steps = [(growth * depth, growth * add) for growth in GROWTH]
        # A step is of use while the one before does not fill the room.
        room = max_tasks - min_tasks
        used = tuple(step for step, (_, before) in zip(steps, [(0, 0), *steps], strict=False) if before < room)
        if used:
            yield OnQueueDepth(steps=used, min_tasks=min_tasks, max_tasks=max_tasks)
