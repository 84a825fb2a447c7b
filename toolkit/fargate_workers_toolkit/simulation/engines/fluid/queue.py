"""A queue as a fluid, a second at a time: what enters, what is served, as cumulative curves over the day.

In each second, served = min(entered, served a second ago + capacity). Over a block of seconds that has a closed form,
the running minimum of entered - capacity so far, which numpy calculates without a loop. From it follow the other two:
finished = what is served, but nothing before its work takes its time; begun = finished + the slots of all tasks.
"""

import math
from array import array
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid.passing import Passing

Curve = NDArray[np.float64]

# So many seconds, whole minutes, are in memory at once, with those of which messages are left.
CHUNK = 172_800

# From so many messages a second on, a Poisson number is nearly normal and, more quickly drawn, never negative.
ENOUGH = 8.0


class Begun(NamedTuple):
    """Messages whose work had begun before some seconds, and the slots in which work may be done in them."""

    before: float
    slots: float


class FluidQueue:
    """A queue as curves, with one entry more than there are seconds: entry t is what had happened when second t began.

    Args:
        arrivals: Messages that come into sight, by second.
        retention: Seconds after which a message expires.
        seed: Of the chance in the time that work takes. Defaults to None: it takes the same time always.

    Attributes:
        entered: Messages that had come into sight, without those that expired since.
        served: Messages that the capacity of the tasks had covered.
        kept: Of what came into sight in each second, the share that did not expire; None while nothing has.
    """

    def __init__(self, arrivals: NDArray[Any], *, retention: float, seed: int | None = None) -> None:
        seconds = len(arrivals)
        self._arrivals = arrivals
        self._curves = [Passing(seconds + 1), Passing(seconds + 1)]
        self.entered: Curve = self._curves[0].values
        self.served: Curve = self._curves[1].values
        self.expired = 0.0
        self.kept: Curve | None = None
        self._retention = int(retention)
        self._ramp: Curve = np.arange(1.0, 61.0)
        self._level = self._sent = 0.0
        self._random = np.random.default_rng(seed)
        self._noise: Curve | None = None
        if seed is not None:
            self._curves.append(Passing(seconds))
            self._noise = self._curves[-1].values
        self._noise_of_later = np.random.default_rng((seed or 0, 2))
        self._most = array("d")
        self._worst = array("d")
        self._fill(0, min(CHUNK, seconds))

    def open(self, begin: int, end: int) -> None:
        """Makes a chunk after the first ready to be served."""
        self._fill(begin, end)

    def forget(self, begin: int, end: int) -> None:
        """Forget the seconds in between, of which all messages are finished, also those that take longest."""
        for curve in self._curves:
            curve.forget(begin, end)

    def _fill(self, begin: int, end: int) -> None:
        part = self._arrivals[begin:end]
        entered = self.entered[begin + 1 : end + 1]
        np.cumsum(part, out=entered)
        entered += self._sent
        self._sent = entered.item(-1)
        minutes = np.arange(0, end - begin, 60)
        self._most.frombytes(np.maximum.reduceat(part, minutes).astype(np.float64).tobytes())
        if self._noise is not None:
            noise = self._noise[begin:end]
            (self._noise_of_later if begin else self._random).standard_normal(out=noise)
            self._worst.frombytes(np.minimum.reduceat(noise, minutes).tobytes())

    def serve_minute(self, begin: int, end: int, capacity: float | Curve, *, work: float, begun: Begun) -> None:
        """Serve a minute into which nothing comes back: most need no arithmetic, as nothing has to wait."""
        if isinstance(capacity, float) and self._level == self.entered[begin]:
            least = capacity
            if self._noise is not None:
                least = capacity + self._worst[begin // 60] * math.sqrt(capacity) if capacity >= ENOUGH else 0.0
            if least >= self._most[begin // 60]:
                self.served[begin + 1 : end + 1] = self.entered[begin + 1 : end + 1]
                self._level = float(self.entered[end])
                return
        self.serve(begin, end, capacity, work=work, begun=begun)

    def serve(self, begin: int, end: int, capacity: float | Curve, *, work: float, begun: Begun) -> float:
        """The messages served by the end of some seconds, at a capacity in messages a second.

        Args:
            begin: The first second.
            end: The second after the last one.
            capacity: Messages a second, for all seconds or for each.
            work: The seconds of work in one message.
            begun: The messages whose work had begun before, and how many may be at work, which do not expire any more.
        """
        if end > self._retention and self.entered[end - self._retention] > self._level:
            return self._serve_expiring(begin, end, capacity, work, begun)
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

    def _serve_expiring(self, begin: int, end: int, capacity: float | Curve, work: float, begun: Begun) -> float:
        """Serve while messages reach their retention period: rare, so second by second."""
        each = np.broadcast_to(capacity, (end - begin,)).tolist()
        before = begun.before
        for second, served in zip(range(begin, end), each, strict=True):
            self.served[second] = self._level
            before = max(before, self.finished_by(second, work=work) + begun.slots)
            self._expire(second, end, begun=before)
            self._level = min(float(self.entered[second + 1]), self._level + served)
        self.served[end] = self._level
        return self._level

    def _expire(self, second: int, end: int, *, begun: float) -> None:
        """Takes what waited for the retention period out of what entered, up to `end`; work that has begun ends."""
        last = second + 1 - self._retention
        if last <= 0 or self.entered[last] <= begun + 1e-9:
            return
        first = int(np.searchsorted(self.entered[: last + 1], begun, side="right")) - 1
        old = self.entered[first : last + 1]
        before = np.diff(old)
        gone = float(old[-1]) - begun
        np.minimum(old, begun, out=old)
        self.entered[last + 1 : end + 1] -= gone
        self.expired += gone
        if self.kept is None:
            self.kept = np.ones(len(self.entered) - 1)
        self.kept[first:last] *= np.divide(np.diff(old), before, out=np.ones(len(before)), where=before > 0)

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
            first = max(math.floor(begin - float(work.max())) - 1, 0)
            seconds = np.arange(first, end + 1, dtype=np.float64)
            known = self.entered[first : end + 1]
            return np.minimum(served, np.interp(seconds[begin - first :] - work, seconds, known))
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
