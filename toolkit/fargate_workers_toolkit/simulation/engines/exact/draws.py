"""Chance in the exact engine: when messages are sent within their second, and how long their work takes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads import Load


def messages(load: Load, random: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The moments at which messages are sent, ascending, and which of them are poison."""
    parts = [load.arrivals] if load.poison is None else [load.arrivals, load.poison]
    seconds = np.arange(load.seconds)
    moments = [np.repeat(seconds, part) + random.random(int(part.sum())) for part in parts]
    bad = np.repeat([False, True][: len(parts)], [len(part) for part in moments])
    every = np.concatenate(moments)
    order = np.argsort(every, kind="stable")
    return every[order], bad[order]


def work_factors(assumptions: Assumptions, random: np.random.Generator) -> Callable[[], float]:
    """Draws one work time after the other, as multiples of the mean."""
    if assumptions.service_times == "fixed":
        return lambda: 1.0
    drawn: list[float] = []

    def draw() -> float:
        if not drawn:
            drawn.extend(random.standard_exponential(10_000).tolist())
        return drawn.pop()

    return draw
