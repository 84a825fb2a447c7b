"""How old messages were when their work was done, from the curves of a fluid run that is over."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.ages import STRETCH, Ages, Segments, segments
from fargate_workers_toolkit.simulation.engines.fluid_failures import FluidFailures
from fargate_workers_toolkit.simulation.engines.fluid_queue import Curve
from fargate_workers_toolkit.simulation.loads.load import Load

# Work times that vary from second to second are told apart in so many groups.
MOST_WORK_TIMES = 16


class FluidAges:
    """Counts the messages of one load. `failures`: those of its run. `exponential`: see `Ages`."""

    def __init__(self, load: Load, failures: FluidFailures | None, *, exponential: bool) -> None:
        self._load = load
        self._failures = failures
        self._ages = Ages(exponential=exponential)
        self._work: NDArray[np.float64] | None = None
        if isinstance(load.work_seconds, np.ndarray):
            self._work = load.work_seconds
            self._work_times = _work_times(load.work_seconds)

    def of(self, entered: Curve, begun: Curve, *, expired: dict[int, float], killed: dict[int, int]) -> Ages:
        """Those of all whose work was done: of what was begun, less what `expired` and was `killed`, by second."""
        # All at once where some are taken out, which is rare: what was killed may have begun long before.
        for parts in segments(entered, begun, stretch=len(begun) if killed or expired else STRETCH):
            _take_out_expired(parts, expired)
            _take_out_killed(parts, killed)
            self._add(parts)
        return self._ages

    def _add(self, parts: Segments) -> None:
        messages, waits = parts.messages, parts.begun - parts.entered
        if self._failures is not None:
            if self._load.outage is not None:
                messages[self._load.outage[parts.begun]] = 0.0
            # Of most seconds only fresh healthy messages enter; the others are told apart by what enters in them.
            mixed = np.flatnonzero(self._failures.mixed(parts.entered))
            if len(mixed):
                self._add_kinds(self._failures, parts.entered[mixed], parts.begun[mixed], messages[mixed])
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
            self._by_work(begun[some], np.maximum(begun[some] - sent, 0), each[some] * counts[some])

    def _by_work(self, begun: NDArray[np.int64], waits: NDArray[np.int64], messages: NDArray[np.float64]) -> None:
        """Adds messages in groups of the same work time."""
        if self._work is None:
            self._ages.add(waits, messages, work_seconds=float(self._load.work_by_second[0]))
            return
        group = np.abs(self._work[begun][:, None] - self._work_times).argmin(axis=1)
        for index, level in enumerate(self._work_times):
            of_level = group == index
            self._ages.add(waits[of_level], messages[of_level], work_seconds=float(level))


def _work_times(work: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those that are told apart."""
    every = np.unique(work)
    if len(every) <= MOST_WORK_TIMES:
        return every
    return np.unique(np.quantile(work, np.linspace(0, 1, MOST_WORK_TIMES)))


def _take_out_expired(parts: Segments, expired: dict[int, float]) -> None:
    """The oldest of those that left the queue in their second."""
    for second, gone in expired.items():
        first, end = np.searchsorted(parts.begun, [second, second + 1]).tolist()
        _take_out(parts, range(first, end), gone)


def _take_out_killed(parts: Segments, killed: dict[int, int]) -> None:
    """The last ones begun before, for their work was lost."""
    for second, gone in killed.items():
        end = int(np.searchsorted(parts.begun, second, side="right"))
        _take_out(parts, reversed(range(end)), gone)


def _take_out(parts: Segments, indexes: Iterable[int], gone: float) -> None:
    """So many messages, from one part after the other."""
    for index in indexes:
        taken = min(parts.messages.item(index), gone)
        parts.messages[index] -= taken
        gone -= taken
        if gone <= 0:
            break
