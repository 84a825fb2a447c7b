"""Attempts that fail, in the fluid engine: they come back after the visibility timeout, and end as dead letters.

Messages are kept apart by how often they came into sight and by whether they are poison, as curves of how many entered
the queue and of the moments at which those were sent. Within one second of the queue they are mixed evenly.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid_queue import Curve
from fargate_workers_toolkit.simulation.loads.load import Load

# Without a dead-letter queue messages come back for ever; from this on they are no longer counted apart.
MOST_RECEIVES = 64

Kinds = NDArray[np.float64]
"""Messages (0) and the sum of the moments they were sent at (1); by receives so far, healthy or poison, and second."""


class FluidFailures:
    """Follows the failures of one load through a queue.

    counts, moments: What entered in each second: messages, and the sum of the moments at which they were sent.
    """

    def __init__(self, load: Load, *, visibility_timeout: float, max_receive_count: int | None) -> None:
        self._timeout = max(1, math.ceil(visibility_timeout))
        self._endless = max_receive_count is None
        # Poison that comes back for ever needs no telling apart.
        self._mingled = self._endless and load.poison is not None
        self._receives = MOST_RECEIVES if max_receive_count is None else max_receive_count
        kinds = 1 if load.poison is None else 2
        # Room for what comes back after the end.
        length = load.seconds + self._timeout + 60
        self._entered: Kinds = np.zeros((2, self._receives, kinds, length))
        self.counts, self.moments = self._entered
        self._back: Curve = np.zeros(length)
        self._dead: Curve = np.zeros(length)
        seconds = np.arange(load.seconds)
        for kind, arrivals in enumerate((load.arrivals, load.poison)):
            if arrivals is not None:
                self.counts[0, kind, : load.seconds] = arrivals
                np.multiply(arrivals, seconds, out=self.moments[0, kind, : load.seconds])
        self._poison = load.poison
        self._most = 1
        self._outage = np.zeros(load.seconds, dtype=np.bool_) if load.outage is None else load.outage
        trouble = self._outage if load.poison is None else self._outage | (load.poison > 0)
        self._troubled: list[bool] = np.logical_or.reduceat(trouble, np.arange(0, load.seconds, 60)).tolist()
        self._last_poison = _last_before(load.poison, load.seconds)
        self._last_return = -1
        self._failed = self._returned = self._buried = 0.0

    @property
    def block(self) -> int:
        """How many seconds may be calculated at once: what fails in them comes back after them."""
        return min(60, self._timeout)

    @property
    def deepest(self) -> int:
        """How many kinds of receives there were at all."""
        return self._most

    def mixed(self, seconds: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these are seconds in which not only fresh healthy messages came into sight."""
        mixed = self._back[seconds] > 0
        return mixed if self._poison is None else mixed | (self._poison[seconds] > 0)

    @property
    def returned(self) -> float:
        """Messages that have come into sight again."""
        return self._returned

    @property
    def hidden(self) -> float:
        """Messages that failed and are out of sight still."""
        return max(self._failed - self._returned - self._buried, 0.0)

    @property
    def dead_letters(self) -> float:
        return self._buried

    def oldest_sent(self, since: int, now: int) -> float:
        """When the oldest of the messages was sent that entered from then on or are out of sight; `now` without any.

        Those received three times do not count: SQS leaves them out of ApproximateAgeOfOldestMessage.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        if self._last_return < since and not self._mingled:
            # Nothing comes back, so the first to enter is the oldest.
            return min(since, now)
        # Poison that is not told apart from fresh messages is left out at once.
        kinds = 1 if self._mingled else None
        part = slice(since, now + self._timeout)
        counts, moments = self.counts[:3, :kinds, part].copy(), self.moments[:3, :kinds, part]
        # What has not been sent yet is there too.
        counts[0, :, now - since :] = 0
        some = counts > 1e-9
        return float((moments[some] / counts[some]).min()) if some.any() else now

    def matter(self, begin: int, *, entered: Curve, begun: float) -> bool:
        """Whether anything may fail or come back in the minute from `begin` on."""
        last = max(self._last_return, self._last_poison[begin // 60])
        if self._troubled[begin // 60] or last >= begin:
            return True
        return last >= 0 and begun < entered[last + 1] - 1e-9

    def enter(self, begin: int, end: int, entered: Curve) -> None:
        """Writes what enters the queue in these seconds into its curve."""
        fresh = self.counts[: self._most, :, begin:end].sum(axis=(0, 1))
        np.cumsum(fresh, out=entered[begin + 1 : end + 1])
        entered[begin + 1 : end + 1] += entered[begin]
        self._returned += float(self._back[begin:end].sum())
        self._buried += float(self._dead[begin:end].sum())

    def work(self, begin: int, *, entered: Curve, begun: Curve, expired: Curve) -> None:
        """Work had begun on messages up to `begun`, from the end of the second before `begin`; schedules what fails."""
        seconds = len(begun) - 1
        at = np.searchsorted(entered[: begin + seconds + 1], begun, side="left")
        at = np.minimum(np.maximum(at, 1), begin + seconds)
        low = entered[at - 1]
        share = np.minimum(np.maximum((begun - low) / np.maximum(entered[at] - low, 1e-12), 0), 1)
        failed = self._between(at, share)
        tried = begun[1:] - begun[:-1]
        fails = 1 - np.divide(expired, tried, out=np.zeros(len(tried)), where=tried > 0)
        healthy = fails * self._outage[begin : begin + seconds]
        failed[:, :, 0] *= healthy
        failed[:, :, 1:] *= fails
        self._schedule(begin + self._timeout, failed)

    def come_back(self, second: int, messages: float, *, sent: int) -> None:
        """Messages, sent at that moment and received once, are in sight again from a second on."""
        if second < len(self._back):
            self._schedule(second, np.array([messages, messages * sent]).reshape(2, 1, 1, 1))
        else:
            self._failed += messages

    def _between(self, at: NDArray[np.int64], share: Curve) -> Kinds:
        """What entered between one place and the next; a place is a share of the second that ends with `at`."""
        first = at.item(0) - 1
        each = self._entered[:, : self._most, :, first : at.item(-1)]
        curve = np.zeros((*each.shape[:3], each.shape[3] + 1))
        np.cumsum(each, axis=3, out=curve[..., 1:])
        at = at - first
        low = curve[..., at - 1]
        places = low + share * (curve[..., at] - low)
        return places[..., 1:] - places[..., :-1]

    def _schedule(self, begin: int, failed: Kinds) -> None:
        by_second = failed[0].sum(axis=(0, 1))
        if not by_second.any():
            return
        self._failed += float(by_second.sum())
        end, last = begin + len(by_second), self._receives - 1
        self._last_return = max(self._last_return, begin + int(np.flatnonzero(by_second)[-1]))
        if self._mingled and failed.shape[2] > 1:
            self.counts[0, 1, begin:end] += failed[0, 0, 1]
            failed = failed[:, :, :1]
        _, receives, kinds, _ = failed.shape
        again = min(receives, last)
        self._entered[:, 1 : again + 1, :kinds, begin:end] += failed[:, :again]
        if receives > last:
            if self._endless:
                self._entered[:, last, :kinds, begin:end] += failed[:, last]
            else:
                dead = failed[0, last].sum(axis=0)
                self._dead[begin:end] += dead
                by_second = by_second - dead
        self._back[begin:end] += by_second
        deepest = np.flatnonzero(failed[0].sum(axis=(1, 2)))
        if len(deepest):
            self._most = max(self._most, min(int(deepest[-1]) + 2, self._receives))


def _last_before(poison: NDArray[np.int64] | None, seconds: int) -> list[int]:
    """The last second before each minute in which poison was sent; -1 before the first."""
    minutes = -(-seconds // 60)
    if poison is None:
        return [-1] * minutes
    last = np.maximum.accumulate(np.where(poison > 0, np.arange(seconds), -1))
    return [-1, *last[59::60].tolist()][:minutes]
