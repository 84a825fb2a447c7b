"""How old messages were when their work was done, from the curves of a fluid run, a chunk at a time."""

from collections.abc import Iterable
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid.ages import STRETCH, Ages, Segments, segments
from fargate_workers_toolkit.simulation.engines.fluid.failures import FluidFailures
from fargate_workers_toolkit.simulation.engines.fluid.queue import Curve
from fargate_workers_toolkit.simulation.loads import Load

# Work times that vary from second to second are counted apart in so many groups.
MOST_WORK_TIMES = 16


class FluidAges:
    """The ages of the messages of one load, as they are counted.

    Args:
        load: The load.
        exponential: Whether work times spread exponentially around their mean; see `Ages`.

    Attributes:
        failures: The failures of its run so far.
        ages: The ages of all messages whose work was done.
        retried: By minute, the age at which the oldest message began its work that had come into sight before.
    """

    def __init__(self, load: Load, *, exponential: bool) -> None:
        self._load = load
        self.failures: FluidFailures | None = None
        self.ages = Ages(exponential=exponential)
        self.retried: NDArray[np.float64] = np.zeros(-(-load.seconds // 60))
        self._work: NDArray[np.float64] | None = None
        if isinstance(load.work_seconds, np.ndarray):
            self._work = load.work_seconds
            self._work_times = _work_times(load.work_seconds)

    def count(self, entered: Curve, begun: Curve, *, begin: int, killed: dict[int, int]) -> None:
        """Counts what was begun from a second on, less what was `killed`, by second; see `segments`."""
        # All at once where some are taken out, which is rare: what was killed may have begun long before.
        for parts in segments(entered, begun, begin=begin, stretch=len(begun) if killed else STRETCH):
            if killed:
                _take_out_killed(parts, killed, self._healthy(parts))
            self._add(parts)

    def _healthy(self, parts: Segments) -> NDArray[np.float64]:
        """The share of each part whose work would have been done."""
        healthy = np.ones(len(parts.messages))
        if self.failures is not None:
            kinds = self.failures.counts[: self.failures.deepest, :, parts.entered]
            total = kinds.sum(axis=(0, 1))
            np.divide(kinds[:, 0].sum(axis=0), total, out=healthy, where=total > 0)
        if self._load.outage is not None:
            healthy[self._load.outage[parts.begun]] = 0.0
        return healthy

    def _add(self, parts: Segments) -> None:
        # Curves differ by what is lost in rounding: such a part begins before it enters.
        messages, waits = parts.messages, np.maximum(parts.begun - parts.entered, 0)
        if self.failures is not None:
            if self._load.outage is not None:
                messages[self._load.outage[parts.begun]] = 0.0
            # Of most seconds only fresh healthy messages enter; the others are counted apart by what enters in them.
            mixed = np.flatnonzero(self.failures.mixed(parts.entered))
            if len(mixed):
                self._add_kinds(self.failures, parts.entered[mixed], parts.begun[mixed], messages[mixed])
                messages[mixed] = 0.0
        self._by_work(parts.begun, waits, messages)

    def _add_kinds(
        self,
        failures: FluidFailures,
        entered: NDArray[np.int64],
        begun: NDArray[np.int64],
        messages: NDArray[np.float64],
    ) -> None:
        """Adds the healthy ones of these messages, by how often they came into sight."""
        kinds = failures.counts[: failures.deepest, :, entered]
        each = messages / kinds.sum(axis=(0, 1))
        for receives, counts in enumerate(kinds[:, 0]):
            some = np.flatnonzero(counts > 0)
            at = entered[some]
            # When messages of this kind had been sent that came into sight then.
            sent = np.rint(failures.moments[receives, 0, at] / counts[some]).astype(np.int64)
            waits = np.maximum(begun[some] - sent, 0)
            counted = each[some] * counts[some]
            self._by_work(begun[some], waits, counted)
            if receives:
                late = counted > 1e-6
                np.maximum.at(self.retried, begun[some][late] // 60, waits[late])

    def _by_work(self, begun: NDArray[np.int64], waits: NDArray[np.int64], messages: NDArray[np.float64]) -> None:
        """Adds messages in groups of the same work time."""
        if self._work is None:
            self.ages.add(waits, messages, work_seconds=float(self._load.work_by_second[0]))
            return
        group = np.abs(self._work[begun][:, None] - self._work_times).argmin(axis=1)
        for index, level in enumerate(self._work_times):
            of_level = group == index
            self.ages.add(waits[of_level], messages[of_level], work_seconds=float(level))


def _work_times(work: NDArray[np.float64]) -> NDArray[np.float64]:
    """The work times that are counted apart."""
    every = np.unique(work)
    if len(every) <= MOST_WORK_TIMES:
        return every
    return np.unique(np.quantile(work, np.linspace(0, 1, MOST_WORK_TIMES)))


def _take_out_killed(parts: Segments, killed: dict[int, int], healthy: NDArray[np.float64]) -> None:
    """The last ones begun before, for their work was lost; the next ones where those were counted already."""
    for second, gone in killed.items():
        end = int(np.searchsorted(parts.begun, second, side="right"))
        _take_out(parts, healthy, chain(reversed(range(end)), range(end, len(parts.begun))), gone)


def _take_out(parts: Segments, healthy: NDArray[np.float64], indexes: Iterable[int], gone: float) -> None:
    """Take so many messages out, from one part after the other."""
    for index in indexes:
        share = healthy.item(index)
        if share <= 0:
            continue
        taken = min(parts.messages.item(index) * share, gone)
        parts.messages[index] -= taken / share
        gone -= taken
        if gone <= 0:
            break
