"""Leases: messages that are ours for now, kept so by a heartbeat that extends visibility and claim together."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.queue import BATCH, LONGEST_VISIBILITY, Queue, Received

_log = logging.getLogger(__name__)

#: Taken off every deadline: the clock here starts when the answer arrives, the queue's a little earlier.
_ROUND_TRIP = 1.0


@dataclass(eq=False, kw_only=True)
class Lease:
    """One message that this process holds. Times are of the monotonic clock.

    Attributes:
        received: The delivery; a second one replaces it, because the newest receipt is the one that works.
        visible_until: When the queue shows the message to others.
        ends_at: When visibility can be extended no more.
        owner: The token of this attempt's claim.
        claim_key: The key claimed, if one is.
        completed: The effect is recorded.
        deadline: When the handler must have ended, once it has begun.
        lost: The message is no longer ours: it must not be acknowledged.
        claiming: Held while the claim changes, so that a heartbeat does not renew what has just been released.
    """

    received: Received
    visible_until: float
    ends_at: float
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)
    claim_key: str | None = None
    completed: bool = False
    deadline: float | None = None
    lost: bool = False
    claiming: threading.Lock = field(default_factory=threading.Lock, repr=False)


class Leases:
    """The messages this process holds.

    The heartbeat costs nothing for short work: a lease is extended only when less than a third of the visibility
    timeout is left, in batches of ten. It stops at the handler's deadline: a hung handler cannot hold a message.

    Args:
        visibility_timeout: Seconds; also the length of each extension.
        on_overdue: Called once for a lease whose handler has passed its deadline.
    """

    def __init__(
        self,
        queue: Queue,
        claims: Claims | None,
        *,
        visibility_timeout: int,
        on_overdue: Callable[[Lease], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._claims = claims
        self._visibility_timeout = visibility_timeout
        self._on_overdue = on_overdue
        self._clock = clock
        self._lock = threading.Lock()
        self._beating = threading.Lock()  # held while messages are extended
        self._held: dict[str, Lease] = {}

    def hold(self, received: Sequence[Received]) -> list[Lease]:
        """Begin a lease on each message that is not held already; a message delivered twice runs once."""
        now = self._clock()
        visible_until = now + self._visibility_timeout - _ROUND_TRIP
        new: list[Lease] = []
        with self._lock:
            for each in received:
                if lease := self._held.get(each.id):
                    lease.received, lease.visible_until = each, visible_until
                    continue
                lease = Lease(
                    received=each,
                    visible_until=visible_until,
                    ends_at=now + LONGEST_VISIBILITY - 2 * self._visibility_timeout,
                )
                self._held[each.id] = lease
                new.append(lease)
        return new

    def let_go(self, lease: Lease) -> None:
        """Extend `lease` no more, from when this returns: a heartbeat under way would overwrite its next visibility.

        https://github.com/novuhq/novu/issues/12437
        """
        with self._beating:
            self.forget(lease)

    def forget(self, lease: Lease) -> None:
        """Extend `lease` no more, but perhaps by a heartbeat that is under way."""
        with self._lock:
            if self._held.get(lease.received.id) is lease:
                del self._held[lease.received.id]

    def held(self) -> list[Lease]:
        """Every lease held now."""
        with self._lock:
            return list(self._held.values())

    def seconds_left(self, lease: Lease) -> float:
        """Until the queue shows the message to others."""
        return max(0.0, lease.visible_until - self._clock())

    def longest_wait(self, lease: Lease) -> int:
        """Seconds for which the message can be hidden at most: SQS counts twelve hours from its receive."""
        return max(0, int(lease.ends_at - self._clock()))

    def beat(self) -> None:
        """Extend what runs out; give up what is overdue."""
        now = self._clock()
        due: list[Lease] = []
        for lease in self.held():
            if now >= min(lease.ends_at, lease.deadline or lease.ends_at):
                lease.lost = True
                self.forget(lease)
                self._on_overdue(lease)
            elif lease.visible_until <= now:
                # The process stood still, or the queue did not answer: another may have the message by now.
                self._lose(lease, "ran out")
            elif lease.visible_until - now < self._visibility_timeout / 3:
                due.append(lease)
        for start in range(0, len(due), BATCH):
            with self._beating:
                self._try_to_extend([lease for lease in due[start : start + BATCH] if self._holds(lease)])

    def _try_to_extend(self, leases: list[Lease]) -> None:
        try:
            if leases:
                self._extend(leases)
        except Exception:
            _log.warning("heartbeat_failed", exc_info=True)
            for lease in leases:
                if lease.visible_until <= self._clock():
                    self._lose(lease, "no heartbeat")

    def _extend(self, leases: list[Lease]) -> None:
        now = self._clock()
        failures = self._queue.set_visibility([(lease.received.receipt, self._visibility_timeout) for lease in leases])
        failed = {failure.index: failure for failure in failures}
        for index, lease in enumerate(leases):
            failure = failed.get(index)
            if failure is None:
                lease.visible_until = now + self._visibility_timeout - _ROUND_TRIP
                self._renew(lease)
            elif failure.permanent or lease.visible_until <= now:
                self._lose(lease, failure.code)

    def _renew(self, lease: Lease) -> None:
        with lease.claiming:
            if self._claims is None or lease.claim_key is None or lease.completed:
                return
            try:
                ours = self._claims.renew(lease.claim_key, owner=lease.owner, seconds=self.seconds_left(lease))
            except Exception:
                # The message stays hidden, so the claim may lapse unseen; completing it tells if it was taken over.
                _log.warning("renewal_failed", exc_info=True)
                return
        if not ours:
            self._lose(lease, "claim taken over")

    def _lose(self, lease: Lease, why: str) -> None:
        if self._holds(lease):  # not settled meanwhile
            lease.lost = True
            self.forget(lease)
            _log.warning("lease_lost", extra={"fields": {"message_id": lease.received.id, "why": why}})

    def _holds(self, lease: Lease) -> bool:
        with self._lock:
            return self._held.get(lease.received.id) is lease
