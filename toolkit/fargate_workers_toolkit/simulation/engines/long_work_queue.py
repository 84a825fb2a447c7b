"""The fluid queue for work of many seconds: a task that is not busy finishes less, which seconds no longer hide."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid_queue import Curve, FluidQueue

# From so many seconds of work on, for all messages of a load.
LONG_WORK_SECONDS = 2.0


class LongWorkQueue(FluidQueue):
    """Second by second, each message at work finishes with the same chance: exponential work times.

    Here `served` are those that finished. `work_seconds`: the mean time of the work, by minute.
    """

    def __init__(self, arrivals: NDArray[Any], *, retention: float, seed: int, work_seconds: Sequence[float]) -> None:
        super().__init__(arrivals, retention=retention, seed=seed)
        self._work_seconds = work_seconds
        random = np.random.default_rng(seed)
        self._normal: list[float] = random.standard_normal(len(arrivals)).tolist()
        self._uniform: list[float] = random.random(len(arrivals)).tolist()

    def serve_minute(self, begin: int, end: int, capacity: float | Curve) -> None:
        self.serve(begin, end, capacity)

    def serve(self, begin: int, end: int, capacity: float | Curve) -> float:
        if end > self._retention and self.entered[end - self._retention] > self._level:
            return self._serve_expiring(begin, end, capacity)
        if self.entered[end] <= self._level:
            self.served[begin + 1 : end + 1] = self._level
            return self._level
        work = self._work_seconds[begin // 60]
        chance = 1 - math.exp(-1 / work)
        spread = math.sqrt(1 - chance)
        slots = np.broadcast_to(np.asarray(capacity) * work, (end - begin,)).tolist()
        entered: list[float] = self.entered[begin : end + 1].tolist()
        level = self._level
        served: list[float] = []
        for index, second in enumerate(range(begin, end)):
            busy = min(entered[index] - level, slots[index])
            mean = busy * chance
            if mean < 1:
                finished = 1.0 if self._uniform[second] < mean else 0.0
            else:
                finished = float(int(mean + self._normal[second] * spread * math.sqrt(mean) + 0.5))
            level += min(max(finished, 0.0), busy)
            served.append(level)
        self.served[begin + 1 : end + 1] = served
        self._level = level
        return level

    def finished_by(self, second: int, *, work: float) -> float:
        del work
        return float(self.served[second])

    def finished(self, begin: int, end: int, *, work: float | Curve) -> Curve:
        del work
        return self.served[begin : end + 1].copy()
