"""A queue as a fluid, a second at a time: what enters, what is served, as cumulative curves over the day.

In each second, served = min(entered, served a second ago + capacity). Over a block of seconds that has a closed form,
the running minimum of entered - capacity so far, which numpy calculates without a loop. From it follow the other two:
finished = what is served, but nothing before its work takes its time; begun = finished + the slots of all tasks.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float64]

# From so many messages a second on, a Poisson number is nearly normal and, more quickly drawn, never negative.
ENOUGH = 8.0


class FluidQueue:
    """Curves have one entry more than there are seconds: entry t is what had happened when second t began.

    entered: Messages that had come into sight.
    served: Those that the capacity of the tasks had covered.
    seed: Of the chance in the time that work takes. Default: it takes the same time always.
    """

    def __init__(self, arrivals: NDArray[Any], *, retention: float, seed: int | None = None) -> None:
        seconds = len(arrivals)
        self.entered: Curve = np.zeros(seconds + 1)
        np.cumsum(arrivals, out=self.entered[1:])
        self.served: Curve = np.zeros(seconds + 1)
        self.expired: dict[int, float] = {}
        self._retention = int(retention)
        self._ramp: Curve = np.arange(1.0, 61.0)
        self._level = 0.0
        self._random = np.random.default_rng(seed)
        self._noise: Curve | None = None if seed is None else self._random.standard_normal(seconds)
        begins = np.arange(0, seconds, 60)
        self._most: list[float] = np.maximum.reduceat(arrivals, begins).tolist()
        self._worst: list[float] = [] if self._noise is None else np.minimum.reduceat(self._noise, begins).tolist()

    def serve_minute(self, begin: int, end: int, capacity: float | Curve) -> None:
        """As `serve`, for a minute into which nothing comes back: most need no arithmetic, as nothing has to wait."""
        if isinstance(capacity, float) and self._level == self.entered[begin]:
            least = capacity
            if self._noise is not None:
                least = capacity + self._worst[begin // 60] * math.sqrt(capacity) if capacity >= ENOUGH else 0.0
            if least >= self._most[begin // 60]:
                self.served[begin + 1 : end + 1] = self.entered[begin + 1 : end + 1]
                self._level = float(self.entered[end])
                return
        self.serve(begin, end, capacity)

    def serve(self, begin: int, end: int, capacity: float | Curve) -> float:
        """Serves the seconds from `begin` up to `end`, at `capacity` messages a second; what was served by then."""
        if end > self._retention and self.entered[end - self._retention] > self._level:
            return self._serve_expiring(begin, end, capacity)
        line = self._line(begin, end, capacity)
        lag = self.served[begin + 1 : end + 1]
        np.subtract(self.entered[begin + 1 : end + 1], line, out=lag)
        # With what was served before in front the running minimum is never more.
        if lag.item(0) > self._level:
            lag[0] = self._level
        np.minimum.accumulate(lag, out=lag)
        lag += line
        self._level = lag.item(-1)
        return self._level

    def _line(self, begin: int, end: int, capacity: float | Curve) -> Curve:
        """The capacity so far. By chance, what busy tasks finish in a second is Poisson, or nearly normal."""
        if self._noise is None:
            return np.cumsum(capacity) if isinstance(capacity, np.ndarray) else self._ramp[: end - begin] * capacity
        first = float(capacity[0]) if isinstance(capacity, np.ndarray) else capacity
        if first < ENOUGH:
            return self._random.poisson(capacity, end - begin).cumsum(dtype=np.float64)
        each = self._noise[begin:end] * (np.sqrt(capacity) if isinstance(capacity, np.ndarray) else math.sqrt(first))
        each += capacity
        return each.cumsum()

    def _serve_expiring(self, begin: int, end: int, capacity: float | Curve) -> float:
        """As `serve`, while messages reach their retention period: rare, so second by second."""
        each = np.broadcast_to(capacity, (end - begin,))
        for second in range(begin, end):
            old = float(self.entered[max(second + 1 - self._retention, 0)])
            if old > self._level:
                self.expired[second] = old - self._level
                self._level = old
            self._level = min(float(self.entered[second + 1]), self._level + float(each[second - begin]))
            self.served[second + 1] = self._level
        return self._level

    @property
    def expired_messages(self) -> float:
        return sum(self.expired.values())

    def finished_by(self, second: int, *, work: float) -> float:
        """Messages finished when `second` began, if work takes so long."""
        before = second - work
        if before <= 0:
            return 0.0
        whole = int(before)
        low = self.entered.item(whole)
        entered = low + (before - whole) * (self.entered.item(whole + 1) - low) if before > whole else low
        return min(self.served.item(second), entered)

    def finished(self, begin: int, end: int, *, work: float | Curve) -> Curve:
        """The same as a curve, from `begin` up to `end`."""
        served = self.served[begin : end + 1]
        if isinstance(work, np.ndarray):
            seconds = np.arange(len(self.entered), dtype=np.float64)
            return np.minimum(served, np.interp(seconds[begin : end + 1] - work, seconds, self.entered))
        whole = math.floor(work)
        part = work - whole
        first = max(begin - whole - 1, 0)
        entered = np.concatenate((np.zeros(max(whole + 1 - begin, 0)), self.entered[first : max(end - whole, 0) + 1]))
        entered = entered[: end - begin + 2]
        curve = entered[:-1] * part
        curve += entered[1:] * (1 - part)
        return np.minimum(served, curve, out=curve)


def begun(entered: Curve, finished: Curve, slots: NDArray[Any], *, before: float = 0.0) -> Curve:
    """Messages whose work had begun: as many more than are finished as tasks have slots, never fewer than before."""
    curve = finished + slots
    np.minimum(entered, curve, out=curve)
    curve[0] = max(curve[0], before)
    return np.maximum.accumulate(curve, out=curve)
