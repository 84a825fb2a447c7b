"""How soon a service can react, and how many tasks would make up for it."""

import math
import sys
from collections.abc import Callable

import numpy as np

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation import (
    Assumptions,
    Engine,
    Result,
    ScaledService,
    Warm,
    missed_percent,
    simulate,
)
from fargate_workers_toolkit.simulation.control import minutes_late
from fargate_workers_toolkit.simulation.loads import Load


def reaction_seconds(service: ScaledService, assumptions: Assumptions) -> float | None:
    """Seconds from a jump of the load until the first new task works, as a rule; None for a service of fixed size."""
    watched = [(alarm.query, alarm.datapoints_to_alarm) for alarm in service.alarms]
    watched += [(tracking.query, tracking.policy.high_periods) for tracking in service.tracking]
    if service.bounds.minimum == service.bounds.maximum or not watched:
        return None
    minutes = min(
        datapoints + max(minutes_late(metric.source, assumptions) for metric in query.metrics.values())
        for query, datapoints in watched
    )
    return 60 * minutes + assumptions.launch_median


def warm_tasks(load: Load, *, slo: float, concurrency: int) -> int | None:
    """How many tasks that always run would keep every message younger than `slo`; None if one message's work is longer.

    Nothing fails in this bound, and work takes its mean time.
    """
    patience = slo - float(np.max(load.work_seconds))
    if patience <= 0:
        return None
    arrivals = load.arrivals if load.poison is None else load.arrivals + load.poison
    work = np.cumsum(arrivals * load.work_by_second) / concurrency

    def suffice(tasks: int) -> bool:
        ahead = work - tasks * np.arange(1, load.seconds + 1)
        waiting = ahead - np.minimum(np.minimum.accumulate(ahead), 0)
        return float(waiting.max()) <= tasks * patience

    return fewest(1, sys.maxsize, suffice=suffice)


def fewest(least: int, most: int, *, suffice: Callable[[int], bool]) -> int | None:
    """The fewest tasks from `least` to `most` that suffice, looked for near `least`; None when not even the most do.

    More tasks must suffice if fewer do.
    """
    few, enough, step = least - 1, least, 1
    while not suffice(enough):
        if enough >= most:
            return None
        few, enough, step = enough, min(enough + step, most), 2 * step
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if suffice(middle) else (middle, enough)
    return enough


def refuse_too_short(load: Load, *, slo: float) -> None:
    """A check that the SLO is longer than the work of a single message.

    Args:
        load: The load.
        slo: The acceptable age of a message at the end of its work, in seconds.

    Raises:
        SimulationError: No number of tasks keeps the SLO.
    """
    longest = float(np.max(load.work_seconds))
    if slo <= longest:
        raise SimulationError(f"An SLO of {slo:g} s cannot be met: the work of one message alone takes {longest:g} s.")


def refuse_unreachable(
    service: ScaledService,
    load: Load,
    result: Result,
    *,
    assumptions: Assumptions,
    engine: Engine = "fluid",
    max_miss: float = 0,
    seed: int = 0,
) -> None:
    """A check that scaling could have kept an SLO that was missed.

    Args:
        service: The service.
        load: The load.
        result: The result of the service under the load.
        assumptions: What AWS does not promise.
        engine: The engine for further simulations. Defaults to `fluid`.
        max_miss: Percent of the messages that may be missed. Defaults to 0.
        seed: Of all chance. Defaults to 0.

    Raises:
        SimulationError: The SLO is below the reaction time of the service, and more tasks that always run would keep
            it.
    """
    slo, least = result.slo, service.bounds.minimum
    reaction = reaction_seconds(service, assumptions)
    if reaction is None or slo >= reaction or missed_percent(result) <= max_miss:
        return
    bound = warm_tasks(load, slo=slo, concurrency=service.task.concurrency)
    if bound is None:
        return

    def suffice(tasks: int) -> bool:
        warm = Warm(tasks=tasks).applied(service)
        tried = simulate(warm, load, slo=slo, engine=engine, assumptions=assumptions, seed=seed)
        return missed_percent(tried) <= max_miss

    needed = fewest(max(bound, least), 2 * bound + least, suffice=suffice)
    if needed is not None and least < needed:
        raise SimulationError(
            f"An SLO of {slo:g} s is below the reaction time of {service.name}, {math.ceil(reaction)} s until a new "
            f"task works; accept that latency, or keep {needed} tasks running instead of {least}."
        )
