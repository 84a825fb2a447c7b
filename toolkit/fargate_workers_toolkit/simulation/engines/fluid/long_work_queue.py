"""The fluid queues for work of many seconds: they calculate when it ends, which a second no longer hides."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid.passing import Passing
from fargate_workers_toolkit.simulation.engines.fluid.queue import CHUNK, Begun, Curve, FluidQueue

# From so many seconds of work on, for all messages of a load.
LONG_WORK_SECONDS = 2.0

# Up to so many messages that come or could end within a second are followed one by one.
FEW = 24


class FinishingQueue(FluidQueue):
    """A fluid queue of which `served` are the messages whose work is finished."""

    def serve_minute(self, begin: int, end: int, capacity: float | Curve, *, work: float, begun: Begun) -> None:
        self.serve(begin, end, capacity, work=work, begun=begun)

    def finished_by(self, second: int, *, work: float) -> float:
        del work
        return float(self.served[second])

    def finished(self, begin: int, end: int, *, work: float | Curve) -> Curve:
        del work
        return self.served[begin : end + 1].copy()


class FixedWorkQueue(FinishingQueue):
    """What began is finished when its time is over, and then others begin: exact for whole seconds."""

    def __init__(self, arrivals: NDArray[Any], *, retention: float) -> None:
        super().__init__(arrivals, retention=retention)
        self._curves.append(Passing(len(arrivals) + 1))
        self._began: Curve = self._curves[-1].values

    def serve(self, begin: int, end: int, capacity: float | Curve, *, work: float, begun: Begun) -> float:
        slots: list[float] = np.broadcast_to(np.asarray(capacity) * work, (end - begin,)).tolist()
        before = begun.before
        for second, room in zip(range(begin, end), slots, strict=True):
            if second + 1 > self._retention:
                before = max(before, self._level + begun.slots)
                self._expire(second, end, begun=before)
            self._level = max(self._level, min(self._began_by(second + 1 - work), float(self.entered[second + 1])))
            began = min(float(self.entered[second + 1]), self._level + room)
            self._began[second + 1] = max(self._began.item(second), began)
            self.served[second + 1] = self._level
        return self._level

    def _began_by(self, moment: float) -> float:
        if moment <= 0:
            return 0.0
        whole = int(moment)
        low = self._began.item(whole)
        return low if moment == whole else low + (moment - whole) * (self._began.item(whole + 1) - low)


class LongWorkQueue(FinishingQueue):
    """Every slot would end its work at random moments; where it has work at such a moment, a message is finished.

    With exponential work times that is no approximation.
    """

    def __init__(self, arrivals: NDArray[Any], *, retention: float, seed: int) -> None:
        super().__init__(arrivals, retention=retention, seed=seed)
        # Not the chance of the load, which is made from the seed alone.
        self._random = np.random.default_rng((seed, 1))
        self._first = 0
        self._normal: list[float] = self._random.standard_normal(min(CHUNK, len(arrivals))).tolist()
        self._uniform = _uniforms(self._random)

    def open(self, begin: int, end: int) -> None:
        super().open(begin, end)
        self._first = begin
        self._normal = self._random.standard_normal(end - begin).tolist()

    def serve(self, begin: int, end: int, capacity: float | Curve, *, work: float, begun: Begun) -> float:
        if self.entered[end] <= self._level:
            self.served[begin + 1 : end + 1] = self._level
            return self._level
        seconds = end - begin
        slots: list[float] = np.broadcast_to(np.asarray(capacity) * work, (seconds,)).tolist()
        could: list[int] = self._random.poisson(capacity, seconds).tolist()
        entered: list[float] = self.entered[begin : end + 1].tolist()
        expires = end > self._retention and self.entered[end - self._retention] > self._level
        before = begun.before
        served: list[float] = []
        for second, room, ends in zip(range(begin, end), slots, could, strict=True):
            if expires:
                before = max(before, self._level + begun.slots)
                self._expire(second, end, begun=before)
                entered[second - begin :] = self.entered[second : end + 1].tolist()
            present = entered[second - begin] - self._level
            come = entered[second - begin + 1] - entered[second - begin]
            if present - ends >= room:
                self._level += ends
            elif ends + come <= FEW:
                self._level += self._ended(present, come, room, ends)
            else:
                self._level += _many_ended(present, come, room, ends, work, self._normal[second - self._first])
            served.append(self._level)
        self.served[begin + 1 : end + 1] = served
        return self._level

    def _ended(self, present: float, come: float, slots: float, ends: int) -> float:
        """The messages finished in a second, of those there or to come; it has so many ends of slots' work."""
        ended = 0.0
        while ends and present + come > 0:
            # Messages and ends come in any order; where in its part the chance falls chooses the slot that ends.
            chance = next(self._uniform) * (math.ceil(come) + ends) - math.ceil(come)
            if chance < 0:
                present, come = present + min(come, 1.0), max(come - 1.0, 0.0)
                continue
            if chance / ends * slots < present:
                gone = min(present, 1.0)
                present, ended = present - gone, ended + gone
            ends -= 1
        return ended


def _many_ended(present: float, come: float, slots: float, ends: int, work: float, normal: float) -> float:
    """As `_ended`, by the mean of the slots at work in that second and the chance around it."""
    busy = min((present + come / 2) * work / (work + 0.5), slots)
    share = busy / slots
    return min(max(ends * share + normal * math.sqrt(ends * share * (1 - share)), 0.0), present + come)


def _uniforms(random: np.random.Generator) -> Iterator[float]:
    while True:
        yield from random.random(4096).tolist()
