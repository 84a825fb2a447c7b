"""How old messages were when their work was done: from the curves of a queue to percentiles and misses."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid_queue import Curve

Weights = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Segments:
    """Parts of the queue that entered in one second and began in one: how many messages, and the two seconds."""

    messages: Weights
    entered: NDArray[np.int64]
    begun: NDArray[np.int64]


def segments(entered: Curve, begun: Curve) -> Segments:
    """Merges the two curves: the n-th message that enters is the n-th whose work begins."""
    even = entered == begun
    quick = np.flatnonzero(even[1:] & even[:-1])
    messages, enters, begins = _merged(entered, begun, np.flatnonzero(~(even[1:] & even[:-1])))
    return Segments(
        messages=np.concatenate((np.diff(entered)[quick], messages)),
        entered=np.concatenate((quick, enters)),
        begun=np.concatenate((quick, begins)),
    )


def _merged(
    entered: Curve, begun: Curve, seconds: NDArray[np.int64]
) -> tuple[Weights, NDArray[np.int64], NDArray[np.int64]]:
    """The parts of those seconds in which something waits. Between two levels of the merged curves lies one part."""
    if not len(seconds):
        return np.zeros(0), seconds, seconds
    levels, of_entered = _levels(entered[seconds + 1], begun[seconds + 1])
    # How many levels of each curve lie below a part: the seconds in which it entered and began.
    below = np.cumsum(of_entered, dtype=np.int32)
    below -= of_entered
    below_begun = np.arange(len(levels), dtype=np.int32)
    below_begun -= below
    # From where one of the curves has ended there are no parts.
    end = min(int(np.searchsorted(below, len(seconds))), int(np.searchsorted(below_begun, len(seconds))))
    enters = seconds[below[:end]]
    # What lies below the second's own entries belongs to seconds in which nothing waited.
    messages = entered[enters]
    np.maximum(messages[1:], levels[: end - 1], out=messages[1:])
    np.subtract(levels[:end], messages, out=messages)
    some = np.flatnonzero(messages > 0)
    return messages[some], enters[some], seconds[below_begun[some]]


def _levels(entered: Curve, begun: Curve) -> tuple[Curve, NDArray[np.bool_]]:
    """Those of both curves, the lowest first, and which are of the first."""
    levels = np.concatenate((entered, begun))
    order = np.argsort(levels, kind="stable")
    return levels[order], order < len(entered)


class Ages:
    """A distribution of ages: whole seconds of waiting, each with messages, and around that the time of the work.

    Groups have one mean work time each. `exponential`: whether work times spread so around their mean, or not at all.
    """

    def __init__(self, *, exponential: bool) -> None:
        self._exponential = exponential
        self._groups: list[tuple[float, NDArray[np.float64], Weights]] = []
        self.messages = 0.0

    def add(self, waits: NDArray[np.int64], messages: Weights, *, work_seconds: float) -> None:
        """Messages that waited for so many whole seconds, with that mean work time."""
        counts: Weights = np.bincount(waits, weights=messages).astype(np.float64, copy=False)
        seconds = np.flatnonzero(counts > 0)
        if len(seconds):
            self._groups.append((work_seconds, seconds.astype(np.float64), counts[seconds]))
            self.messages += float(counts.sum())

    def older_than(self, age: float) -> float:
        """How many messages were older."""
        total = 0.0
        for work, waits, counts in self._groups:
            left = age - waits
            if self._exponential:
                total += float(counts @ np.exp(-np.maximum(left, 0) / work))
            else:
                total += float(counts[left < work].sum())
        return total

    def percentile(self, percent: float) -> float:
        """The age that so many percent of the messages do not exceed; 0 when there are none."""
        return self._age_with(self.messages * (1 - percent / 100))

    @property
    def oldest(self) -> float:
        """The age that one message is expected to exceed by no more than chance."""
        return self._age_with(min(1.0, self.messages / 2))

    def _age_with(self, older: float) -> float:
        if not self._groups or self.messages <= 0:
            return 0.0
        low, high = 0.0, max(float(waits[-1]) + work * 60 for work, waits, _ in self._groups)
        while high - low > 0.01:
            middle = (low + high) / 2
            low, high = (middle, high) if self.older_than(middle) > older else (low, middle)
        return math.floor(high * 100 + 0.5) / 100
