"""Leases: the messages that this process has for now, and the renewal of their leases and claims."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fargate_workers_runtime.brokers import Broker, Delivery
from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.pipeline.parallel import in_parallel

_log = logging.getLogger(__name__)

#: Taken off every deadline, in seconds: the clock here starts when the answer arrives, the queue's a little earlier.
_ROUND_TRIP = 1.0

#: Left of a lease that is not renewed when its handler must have ended, in seconds: to send how it ended.
ENDING_SECONDS = 3.0

#: Requests of one renewal at once: one that is not answered must not cost the other messages their leases.
REQUESTS_AT_ONCE = 16


def _token() -> str:
    """A token that no other attempt has, in whatever process.

    Not uuid4: it asks the kernel, and for each message of a batch another thread would take its turn meanwhile.
    """
    return f"{random.getrandbits(128):032x}"


@dataclass(eq=False, kw_only=True, slots=True)
class Lease:
    """One message that this process holds. Times are of the monotonic clock.

    Attributes:
        delivery: The newest one; its token is the one that works.
        leased_until: When the broker delivers the message to others.
        ends_at: When the lease can be extended no more; infinity where it always can.
        claim_key: The key claimed, if one is.
        claimed_until: When others may claim the key.
        attempt: Which attempt of its message this is by the claim, those that failed and this one.
        completed: The effect is recorded.
        began_at: When the handler began, while it runs.
        deadline: When it must have ended.
        lost: Another worker may have the message: it must not be acknowledged.
        extending: A request that extends it is under way.
        claiming: Held while the claim changes, so that a claim that has just been released is not renewed.
    """

    delivery: Delivery
    leased_until: float
    ends_at: float
    claim_key: str | None = None
    claimed_until: float = 0.0
    attempt: int | None = None
    completed: bool = False
    began_at: float | None = None
    deadline: float | None = None
    lost: bool = False
    extending: bool = False
    claiming: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _owner: str = field(default="", init=False, repr=False)

    @property
    def owner(self) -> str:
        """The token of this attempt's claim, made when it is asked for first: without claims, never."""
        if not self._owner:
            self._owner = _token()
        return self._owner

    def begin_again(self) -> None:
        """Give the next attempt a token of its own, as the next delivery would."""
        self._owner = ""
        self.claim_key, self.attempt, self.claimed_until = None, None, 0.0


class Leases:
    """The leases that this process has, and their renewal.

    The heartbeat costs nothing for short work: a lease is extended only when less than a third of it is left,
    in full batches. It stops at the handler's deadline: a hung handler cannot hold a message.

    Args:
        seconds: How long a message is leased for, and each extension.
        on_overdue: Called once for a lease whose handler has passed its deadline.
    """

    def __init__(
        self,
        broker: Broker,
        claims: Claims | None,
        *,
        seconds: int,
        on_overdue: Callable[[Lease], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._claims = claims
        self._seconds = seconds
        self._ours_for = seconds - min(_ROUND_TRIP, seconds / 4)
        longest = broker.capabilities.longest_lease
        self._extended_for = math.inf if longest is None else longest - 2 * seconds
        self._on_overdue = on_overdue
        self.clock = clock
        self._lock = threading.Lock()
        self._extended = threading.Condition(self._lock)
        self._held: dict[str, Lease] = {}
        self._at_work: set[Lease] = set()  # add, discard and copy are one step each

    def hold(self, deliveries: Sequence[Delivery]) -> list[Lease]:
        """Begin a lease on each message that is not held already; a message delivered twice runs once."""
        now = self.clock()
        new: list[Lease] = []
        with self._lock:
            for each in deliveries:
                leased_until = each.leased_until
                if leased_until is None:
                    leased_until = now + self._ours_for - each.stood_still
                if lease := self._held.get(each.id):
                    lease.delivery, lease.leased_until = each, leased_until
                    continue
                lease = Lease(delivery=each, leased_until=leased_until, ends_at=now + self._extended_for)
                self._held[each.id] = lease
                new.append(lease)
        return new

    def end_and_wait(self, lease: Lease) -> None:
        """Extend `lease` no more, from when this returns: an extension under way would undo the release's delay.

        https://github.com/novuhq/novu/issues/12437
        """
        self.end(lease)
        with self._extended:
            self._extended.wait_for(lambda: not lease.extending)

    def end(self, lease: Lease) -> None:
        """Extend `lease` no more, but perhaps by an extension that is under way."""
        with self._lock:
            if self._held.get(lease.delivery.id) is lease:
                del self._held[lease.delivery.id]

    def held(self) -> list[Lease]:
        """Every lease held now."""
        with self._lock:
            return list(self._held.values())

    def handler_begins(self, lease: Lease, *, seconds: float) -> None:
        """Note that its handler runs, and is overdue after so many seconds: also if the lease is lost before."""
        lease.began_at = now = self.clock()
        lease.deadline = now + seconds
        self._at_work.add(lease)

    def handler_ends(self, lease: Lease) -> None:
        """Note that its handler has ended."""
        self._at_work.discard(lease)
        lease.began_at = lease.deadline = None

    def at_work(self) -> list[Lease]:
        """The leases whose handlers run and are not overdue, those that are lost included."""
        return list(self._at_work.copy())

    def is_alive(self, lease: Lease) -> bool:
        """Whether this process has message and claim, by the clock: it may have stood still since the last look."""
        now = self.clock()
        return not lease.lost and now < lease.leased_until and (lease.claim_key is None or now < lease.claimed_until)

    def seconds_left(self, lease: Lease) -> float:
        """Until the broker delivers the message to others, unless the lease is extended."""
        return max(0.0, lease.leased_until - self.clock())

    def longest_wait(self, lease: Lease) -> float:
        """Whole seconds for which the message can be released at most; infinity where there is no limit."""
        seconds = lease.ends_at - self.clock()
        return seconds if math.isinf(seconds) else max(0, int(seconds))

    def longest_hold(self, lease: Lease) -> float:
        """Seconds for which this process can keep the message at most."""
        return self.longest_wait(lease) if self._broker.capabilities.renews_leases else self.seconds_left(lease)

    def longest_run(self, lease: Lease) -> float:
        """Seconds that a handler may take because of its lease; infinity where leases are renewed."""
        return math.inf if self._broker.capabilities.renews_leases else self.seconds_left(lease) - ENDING_SECONDS

    def beat(self) -> None:
        """Extend the leases that run out; give up what is overdue."""
        now = self.clock()
        for lease in self.at_work():
            deadline = lease.deadline  # looked at once: the handler may end at any moment
            if deadline is not None and now >= min(lease.ends_at, deadline):
                self._at_work.discard(lease)
                lease.lost = True
                self.end(lease)
                self._on_overdue(lease)
        due: list[Lease] = []
        for lease in self.held():
            if now >= lease.ends_at:
                self.lose(lease, "longest lease")
            elif lease.leased_until <= now:
                # The process stood still, or the queue did not answer: another may have the message by now.
                self.lose(lease, "ran out")
            elif lease.leased_until - now < self._seconds / 3 and self._broker.capabilities.renews_leases:
                due.append(lease)
        size = self._broker.capabilities.largest_batch
        batches = [due[start : start + size] for start in range(0, len(due), size)]
        in_parallel(self._try_to_extend, batches, threads=REQUESTS_AT_ONCE)

    def renew_claims(self) -> None:
        """Renew each claim whose message is leased for longer; one that failed is tried again at the next call.

        Apart from `beat`: a store that does not answer must not keep leases from being extended.
        """
        behind = [lease for lease in self.held() if lease.claim_key and lease.claimed_until < lease.leased_until]
        in_parallel(self._renew, behind, threads=REQUESTS_AT_ONCE)

    def lose(self, lease: Lease, why: str) -> None:
        """The loss of the message: it is neither extended nor acknowledged any more."""
        if self._holds(lease):  # not settled meanwhile
            lease.lost = True
            self.end(lease)
            _log.warning("lease_lost", extra={"fields": {"message_id": lease.delivery.id, "why": why}})

    def _try_to_extend(self, batch: list[Lease]) -> None:
        with self._lock:
            leases = [lease for lease in batch if self._held.get(lease.delivery.id) is lease]
            for lease in leases:
                lease.extending = True
        try:
            if leases:
                self._extend(leases)
        except BaseException:
            _log.warning("heartbeat_failed", exc_info=True)
            for lease in leases:
                if lease.leased_until <= self.clock():
                    self.lose(lease, "no heartbeat")
        finally:
            with self._extended:
                for lease in leases:
                    lease.extending = False
                self._extended.notify_all()

    def _extend(self, leases: list[Lease]) -> None:
        now = self.clock()
        failures = self._broker.extend([lease.delivery for lease in leases], self._seconds)
        failed = {failure.index: failure for failure in failures}
        for index, lease in enumerate(leases):
            failure = failed.get(index)
            if failure is None:
                lease.leased_until = now + self._ours_for
            elif failure.permanent or lease.leased_until <= now:
                self.lose(lease, failure.code)

    def _renew(self, lease: Lease) -> None:
        with lease.claiming:
            if self._claims is None or lease.claim_key is None or lease.completed:
                return
            until = lease.leased_until
            try:
                ours = self._claims.renew(lease.claim_key, owner=lease.owner, seconds=max(0.0, until - self.clock()))
            except BaseException:
                # The handler goes on, and nothing new begins under a claim that has lapsed; completing it asks the
                # store whose it is.
                _log.warning("renewal_failed", exc_info=True)
                return
            if ours:
                lease.claimed_until = until
        if not ours:
            self.lose(lease, "claim taken over")

    def _holds(self, lease: Lease) -> bool:
        with self._lock:
            return self._held.get(lease.delivery.id) is lease
