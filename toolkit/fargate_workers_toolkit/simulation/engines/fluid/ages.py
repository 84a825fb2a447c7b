"""How old messages were when their work was done, from the curves of a queue: percentiles and misses."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid.queue import Curve

Weights = NDArray[np.float64]


# Curves are merged so many seconds at a time: what is needed for it then stays in the processor's cache.
STRETCH = 7200


@dataclass(frozen=True, kw_only=True)
class Segments:
    """Parts of the queue that entered in one second and began in one: how many messages, and the two seconds.

    They are in the order of the queue.
    """

    messages: Weights
    entered: NDArray[np.int64]
    begun: NDArray[np.int64]


def segments(entered: Curve, begun: Curve, *, begin: int = 0, stretch: int = STRETCH) -> Iterator[Segments]:
    """The segments of two curves, a stretch at a time: the n-th message that enters is the n-th whose work begins.

    Args:
        entered: Messages that entered, from the first second on.
        begun: Messages whose work began, from the second `begin` on.
        begin: The first second of `begun`. Defaults to 0.
        stretch: The seconds of a stretch. Defaults to `STRETCH`.
    """
    for first in range(0, len(begun) - 1, stretch):
        yield _merged(entered, begun[first : first + stretch + 1], begin + first)


def _merged(entered: Curve, begun: Curve, first: int) -> Segments:
    """The parts whose work began from the second `first` on. Between two levels of the merged curves lies one part."""
    since = int(np.searchsorted(entered, begun.item(0), side="right")) - 1
    until = int(np.searchsorted(entered, begun.item(-1), side="left"))
    levels, of_entered = _levels(entered[since + 1 : until], begun[1:])
    messages: Weights = np.diff(levels, prepend=begun[0])
    some = np.flatnonzero(messages > 0)
    # How many levels of each curve lie below a part: the seconds in which it entered and began.
    below: NDArray[np.int64] = (np.cumsum(of_entered) - of_entered)[some]
    return Segments(messages=messages[some], entered=since + below, begun=first + some - below)


def _levels(entered: Curve, begun: Curve) -> tuple[Curve, NDArray[np.bool_]]:
    """The levels of both curves, the lowest first, and which are of the first curve."""
    levels = np.concatenate((entered, begun))
    order = np.argsort(levels, kind="stable")
    return levels[order], order < len(entered)


class Ages:
    """A distribution of ages: whole seconds of waiting, each with messages, and around that the time of the work.

    Groups have one mean work time each.

    Args:
        exponential: Whether work times spread exponentially around their mean, or not at all.
    """

    def __init__(self, *, exponential: bool) -> None:
        self._exponential = exponential
        self._counts: dict[float, Weights] = {}
        self.messages = 0.0

    def add(self, waits: NDArray[np.int64], messages: Weights, *, work_seconds: float) -> None:
        """Messages that waited for so many whole seconds, with that mean work time."""
        if not len(waits):
            return
        counts: Weights = np.bincount(waits, weights=messages).astype(np.float64, copy=False)
        self.messages += float(counts.sum())
        known = self._counts.get(work_seconds, counts[:0])
        if len(known) > len(counts):
            counts, known = known, counts
        counts[: len(known)] += known
        self._counts[work_seconds] = counts
        self.__dict__.pop("_groups", None)

    @cached_property
    def _groups(self) -> Sequence[tuple[float, NDArray[np.int64], Weights]]:
        """Work time, and whole seconds of waiting with their messages."""
        groups = [(work, np.flatnonzero(counts), counts) for work, counts in self._counts.items()]
        return [(work, waits, counts[waits]) for work, waits, counts in groups if len(waits)]

    def older_than(self, age: float) -> float:
        """How many messages were older."""
        total = 0.0
        for work, waits, counts in self._groups:
            left = age - waits
            if self._exponential:
                total += float((counts * np.exp(-np.maximum(left, 0) / work)).sum())
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
