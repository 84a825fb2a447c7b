"""Attempts that fail, in the fluid engine: they come back after a pause, and end as dead letters.

Messages are kept apart by how often they came into sight and by whether they are poison, as curves of how many entered
the queue and of the moments at which those were sent. Within one second of the queue they are mixed evenly.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fargate_workers_toolkit.simulation.engines.fluid.passing import Passing
from fargate_workers_toolkit.simulation.engines.fluid.queue import Curve
from fargate_workers_toolkit.simulation.engines.retrying import STEADY, Retrying
from fargate_workers_toolkit.simulation.loads import Load

# Without a dead-letter queue messages come back without end; from this on they are no longer counted apart.
MOST_RECEIVES = 64
MOST_PAUSES = STEADY + 1
# Minutes of an outage after which most of what fails has done so for several times.
SETTLING = 6

Kinds = NDArray[np.float64]
"""Messages (0) and the sum of the moments they were sent at (1); by receives so far, healthy or poison, and second."""


class FluidFailures:
    """The failures of one load on their way through a queue.

    Args:
        load: The load.
        retrying: When a failed attempt is made again.
        begin: The first second that is in memory at first.
        end: The second after the last one.

    Attributes:
        counts: Messages that entered in each second.
        moments: The sum of the moments at which those were sent, in each second.
    """

    def __init__(self, load: Load, retrying: Retrying, *, begin: int, end: int) -> None:
        self._retrying = retrying
        self._endless = retrying.gives_up_after is None
        # Poison that comes back without end needs no groups of its own, if its pauses are all the same.
        self._mingled = self._endless and not retrying.backs_off and load.poison is not None
        endless = MOST_PAUSES if retrying.backs_off else MOST_RECEIVES
        self._receives = endless if retrying.gives_up_after is None else retrying.gives_up_after
        kinds = 1 if load.poison is None else 2
        # How long after it begins a failed attempt is made again, at most.
        self._ahead = retrying.longest + math.ceil(float(np.max(load.work_seconds))) + 60
        # Room for what comes back after the end.
        length = load.seconds + self._ahead
        self._passing = Passing(2, self._receives, kinds, length)
        self._entered: Kinds = self._passing.values
        self.counts, self.moments = self._entered
        self._back: Curve = np.zeros(length)
        self._dead: NDArray[np.float64] = np.zeros((kinds, length))
        self._load = load
        self._poison = load.poison
        self._most = 1
        self._kept: Curve | None = None
        self.open(begin, end)
        self._outage = np.zeros(load.seconds, dtype=np.bool_) if load.outage is None else load.outage
        trouble = self._outage if load.poison is None else self._outage | (load.poison > 0)
        self._troubled: list[bool] = np.logical_or.reduceat(trouble, np.arange(0, load.seconds, 60)).tolist()
        self._settled = _settled(self._outage)
        self._last_poison = _last_before(load.poison, load.seconds)
        # The last second in which messages come back or are dead.
        self._last_change = -1
        self._failed = self._returned = 0.0
        self._buried: NDArray[np.float64] = np.zeros(kinds)

    def open(self, begin: int, end: int) -> None:
        """Lets the messages of a chunk enter that are sent in it."""
        for kind, arrivals in enumerate((self._load.arrivals, self._load.poison)):
            if arrivals is not None:
                self.counts[0, kind, begin:end] += arrivals[begin:end]
                self.moments[0, kind, begin:end] += arrivals[begin:end] * np.arange(begin, end, dtype=np.float64)

    def forget(self, begin: int, end: int) -> None:
        """Forget the seconds in between, of which all messages are finished."""
        self._passing.forget(begin, end)

    def block(self, begin: int) -> int:
        """How many seconds may be calculated at once in the minute from `begin` on."""
        return self._retrying.block(settled=self._settled[begin // 60])

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
        return max(self._failed - self._returned - self.dead_letters, 0.0)

    @property
    def dead_letters(self) -> float:
        return float(self._buried.sum())

    @property
    def poisoned(self) -> float:
        """Dead letters that were poison."""
        return float(self._buried[1:].sum())

    def oldest_sent(self, since: int, now: int) -> float:
        """When the oldest of the messages was sent that entered from then on or are out of sight; `now` without any.

        Those received three times do not count: SQS leaves them out of ApproximateAgeOfOldestMessage.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
        """
        if self._last_change < since and not self._mingled:
            # Nothing comes back, so the first to enter is the oldest.
            return min(since, now)
        # Poison that is not counted apart from fresh messages is left out at once.
        kinds = 1 if self._mingled else None
        part = slice(since, now + self._ahead)
        counts, moments = self.counts[:3, :kinds, part].copy(), self.moments[:3, :kinds, part]
        # What has not been sent yet is there too.
        counts[0, :, now - since :] = 0
        some = counts > 1e-9
        return float((moments[some] / counts[some]).min()) if some.any() else now

    def matter(self, begin: int, *, entered: Curve, begun: float) -> bool:
        """Whether anything may fail or come back in the minute from `begin` on."""
        last = max(self._last_change, self._last_poison[begin // 60])
        if self._troubled[begin // 60] or last >= begin:
            return True
        return last >= 0 and begun < entered[last + 1] - 1e-9

    def enter(self, begin: int, end: int, entered: Curve) -> None:
        """Writes what enters the queue in these seconds into its curve."""
        fresh = self.counts[: self._most, :, begin:end].sum(axis=(0, 1))
        np.cumsum(fresh, out=entered[begin + 1 : end + 1])
        entered[begin + 1 : end + 1] += entered[begin]
        self._returned += float(self._back[begin:end].sum())
        self._buried += self._dead[:, begin:end].sum(axis=1)

    def healthy_share(self, begin: int, end: int) -> float:
        """The healthy share of what came into sight in these seconds."""
        kinds = self.counts[: self._most, :, begin:end].sum(axis=(0, 2))
        return float(kinds[0] / kinds.sum()) if kinds.any() else 1.0

    def expire(self, kept: Curve) -> None:
        """Leaves so large a share of what entered in each second, of what it was at first."""
        if self._kept is None:
            self._kept = np.ones(len(kept))
        changed = np.flatnonzero(kept != self._kept)
        if len(changed):
            shares = np.divide(
                kept[changed], self._kept[changed], out=np.zeros(len(changed)), where=self._kept[changed] > 0
            )
            self._entered[..., changed] *= shares
            self._kept[changed] = kept[changed]

    def work(self, begin: int, *, entered: Curve, begun: Curve, work: float, block: int) -> None:
        """Schedule what fails of the messages on which work had begun.

        Args:
            begin: The first second; work begins from the end of the second before it on.
            entered: Messages that had entered.
            begun: Messages whose work had begun.
            work: The seconds of work in one message.
            block: The seconds that are calculated at once.
        """
        seconds = len(begun) - 1
        at = np.searchsorted(entered[: begin + seconds + 1], begun, side="left")
        at = np.minimum(np.maximum(at, 1), begin + seconds)
        low = entered[at - 1]
        share = np.minimum(np.maximum((begun - low) / np.maximum(entered[at] - low, 1e-12), 0), 1)
        failed = self._between(at, share)
        failed[:, :, 0] *= self._outage[begin : begin + seconds]
        self._fail(begin, failed, work=work, block=block)

    def come_back(self, second: int, messages: float, *, sent: int) -> None:
        """Messages, sent at that moment and received once, are in sight again from a second on."""
        self._failed += messages
        if second >= len(self._back):
            return
        if self._retrying.deliveries == 1:
            self._bury(second, np.array([[messages]]))
        else:
            again = min(1, self._receives - 1)
            self._return(second, np.array([messages, messages * sent]).reshape(2, 1, 1), again)

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

    def _fail(self, begin: int, failed: Kinds, *, work: float, block: int) -> None:
        """Attempts that began in the seconds from `begin` on: the messages come back after their pauses or are dead."""
        by_second = failed[0].sum(axis=(0, 1))
        some = by_second.nonzero()[0]
        if not len(some):
            return
        self._failed += float(by_second.sum())
        after = begin + len(by_second)
        failed = failed[..., : some.item(-1) + 1]
        # A pause that the runtime chooses follows the work; a visibility timeout runs from its beginning.
        ended = begin + (round(work) if self._retrying.backs_off else 0)
        if self._mingled and failed.shape[2] > 1:
            self._return(begin + self._retrying.longest, failed[:, 0, 1:], 0, kind=1)
            failed = failed[:, :, :1]
        for receives in failed[0].any(axis=(1, 2)).nonzero()[0].tolist():
            messages, again = failed[:, receives], receives + 1
            if again == self._receives and not self._endless:
                dead = ended if self._retrying.backs_off else begin + self._retrying.longest
                self._bury(*_from(after, dead, messages[0]))
                continue
            first, parts = self._retrying.pauses(again, block=block)
            if parts > 1:
                messages = _repeated(messages, parts, block=block)
            self._return(*_from(after, ended + first, messages), min(again, self._receives - 1))

    def _return(self, second: int, messages: NDArray[np.float64], receives: int, *, kind: int = 0) -> None:
        """Messages and moments, by kind from the given one on and by second, come into sight from that second on."""
        end = second + messages.shape[2]
        self._entered[:, receives, kind : kind + messages.shape[1], second:end] += messages
        self._back[second:end] += messages[0].sum(axis=0)
        self._last_change = max(self._last_change, end - 1)
        self._most = max(self._most, receives + 1)

    def _bury(self, second: int, messages: NDArray[np.float64]) -> None:
        """Messages, by kind and by second, are dead letters from that second on."""
        end = second + messages.shape[1]
        self._dead[: len(messages), second:end] += messages
        self._last_change = max(self._last_change, end - 1)


def _repeated(messages: NDArray[np.float64], parts: int, *, block: int) -> NDArray[np.float64]:
    """The messages in as many equal parts, each a block after the one before."""
    *kinds, seconds = messages.shape
    repeated = np.zeros((*kinds, parts, block))
    repeated[..., :seconds] = (messages / parts)[..., None, :]
    return repeated.reshape(*kinds, parts * block)


def _from(first: int, second: int, messages: NDArray[np.float64]) -> tuple[int, NDArray[np.float64]]:
    """What happens by second from `second` on, with all that would be before `first` in that; and its first second."""
    early = first - second
    if early <= 0:
        return second, messages
    if early >= messages.shape[-1]:
        return first, messages.sum(axis=-1, keepdims=True)
    late = messages[..., early:].copy()
    late[..., 0] += messages[..., :early].sum(axis=-1)
    return first, late


def _settled(outage: NDArray[np.bool_]) -> list[bool]:
    """Whether no outage began in a minute or in the minutes before, for every minute."""
    settled = [True] * -(-len(outage) // 60)
    for second in (np.flatnonzero(np.diff(outage, prepend=False) & outage)).tolist():
        first = second // 60
        settled[first : first + SETTLING] = [False] * len(settled[first : first + SETTLING])
    return settled


def _last_before(poison: NDArray[np.int64] | None, seconds: int) -> list[int]:
    """The last second before each minute in which poison was sent; -1 before the first."""
    minutes = -(-seconds // 60)
    if poison is None:
        return [-1] * minutes
    last = np.maximum.accumulate(np.where(poison > 0, np.arange(seconds), -1))
    return [-1, *last[59::60].tolist()][:minutes]
