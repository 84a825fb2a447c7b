"""Settling: messages end in batches, which is most of what a queue worker can save.

An ending that the broker does not take is sent again, under back-off, as long as the lease on its message lives: the
lease of a message is renewed until it is acknowledged.
"""

import heapq
import itertools
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from fargate_workers_runtime.brokers import Broker, DeadLetter
from fargate_workers_runtime.pipeline.backoff import equal_jitter
from fargate_workers_runtime.pipeline.leases import Lease, Leases
from fargate_workers_runtime.pipeline.settling.outcome import Letter, Outcome

_log = logging.getLogger(__name__)

#: How long an entry waits for others, in seconds, by the worker's pacing.
LINGER = {"latency": 0.25, "economy": 1.0}

#: Requests under way at once; one slow answer must not hold up the others.
_THREADS = 4

#: The pauses between two sends of one entry, in seconds: the first, the longest, and the longest while stopping.
_FIRST_PAUSE, _LONGEST_PAUSE, _LAST_PAUSE = 0.2, 3.0, 0.5

#: How long an answer that is under way when all is to end is waited for, in seconds.
_LAST_ANSWER = 2.0

#: A dead-letter queue that takes nothing for so many seconds is left to what the broker does by itself, which
#: needs no permission of the worker's.
_LETTER_PATIENCE = 300.0

#: Entries that may wait for one kind of request before handlers and receives wait too.
_MOST_WAITING = 100

#: Messages remembered as owed an acknowledgement that the broker did not take.
_MOST_REMEMBERED = 10_000


@dataclass(eq=False, kw_only=True, slots=True)
class _Entry:
    """One ending. `due_at` is when a released message is to be delivered again; `letter` is set when it has arrived."""

    lease: Lease
    due_at: float = 0.0
    letter: Letter | None = None
    tries: int = 0
    since: float = 0.0


@dataclass(eq=False, kw_only=True)
class _Lane:
    """One kind of ending: the entries for its next request, and those that wait for their next try."""

    name: Literal["acknowledge", "release", "dead_letter"]
    largest: int
    entries: list[_Entry] = field(default_factory=list[_Entry])
    later: list[tuple[float, int, _Entry]] = field(default_factory=list[tuple[float, int, _Entry]])
    since: float = 0.0

    @property
    def waiting(self) -> int:
        return len(self.entries) + len(self.later)

    def wake(self, now: float) -> None:
        """Put those whose pause is over in front; they have waited enough."""
        woken: list[_Entry] = []
        while self.later and self.later[0][0] <= now:
            woken.append(heapq.heappop(self.later)[2])
        if woken:
            self.entries[:0] = woken
            self.since = -math.inf

    def take(self) -> list[_Entry]:
        # A letter that failed twice goes alone: whatever is wrong with it must not keep back the others.
        alone = self.name == "dead_letter" and any(entry.tries > 1 for entry in self.entries[: self.largest])
        number = 1 if alone else self.largest
        taken, self.entries = self.entries[:number], self.entries[number:]
        return taken


class Settler:
    """Carries out how messages end: it acknowledges, releases and dead-letters them.

    Each request takes a full batch, or what came within `linger` seconds; `close` sends all that waits.

    Args:
        on_given_up: Called for each ending that could not be sent in time.
        clock: What leases go by.
    """

    def __init__(
        self,
        broker: Broker,
        leases: Leases,
        *,
        linger: float = LINGER["latency"],
        on_given_up: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._broker = broker
        self._leases = leases
        self._linger = linger
        self._on_given_up = on_given_up
        self._clock = clock
        self._lock = threading.Lock()
        self.due: threading.Condition = threading.Condition(self._lock)  # a thread should look at the lanes again
        self._room = threading.Condition(self._lock)  # an entry may be put in
        self._most_waiting: float = _MOST_WAITING
        self._closing = False
        self._ends_at = math.inf
        self._sending = 0
        self._numbers = itertools.count()
        self._largest = broker.capabilities.largest_batch
        self._locally = broker.capabilities.settles_locally
        self._dead_letters = _Lane(name="dead_letter", largest=self._largest)
        self._acknowledgements = _Lane(name="acknowledge", largest=self._largest)
        self._releases = _Lane(name="release", largest=self._largest)
        self._owed: OrderedDict[str, None] = OrderedDict()  # acknowledgements that were not taken, by a message's id
        self._threads = [
            threading.Thread(target=self._settle, name=f"settler-{number}", daemon=True) for number in range(_THREADS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def carry_out(self, lease: Lease, outcome: Outcome) -> None:
        """What was decided, but for another attempt: the worker may wait for that in hand."""
        if outcome == "acknowledge":
            self.acknowledge(lease)
        elif isinstance(outcome, Letter):
            self.dead_letter(lease, outcome)

    def acknowledge(self, lease: Lease) -> None:
        """End the message for good. Its lease is kept until then: a slow answer must not bring the message back."""
        self._put(self._acknowledgements, _Entry(lease=lease))

    def release(self, lease: Lease, seconds: float) -> None:
        """Let the message be delivered again after `seconds`; 0 at once."""
        self._leases.end_and_wait(lease)
        self._put(self._releases, _Entry(lease=lease, due_at=self._clock() + math.ceil(seconds)))

    def dead_letter(self, lease: Lease, letter: Letter) -> None:
        """Store the message where dead letters are, and acknowledge it once it is there.

        Without a place for dead letters it is released, and left to what the broker does by itself.
        """
        if not self._broker.capabilities.dead_letters:
            self.release(lease, equal_jitter(lease.delivery.receive_count))
            letter.settled(False)
            return
        self._put(self._dead_letters, _Entry(lease=lease, letter=letter, since=self._clock()))

    def owes_acknowledgement(self, lease: Lease) -> bool:
        """The message has been worked on by this process before, and its acknowledgement was not taken."""
        return bool(self._owed) and lease.delivery.id in self._owed

    def flush(self, seconds: float) -> None:
        """Send what waits now, and return when the broker has it, or after so many seconds."""
        lanes = (self._dead_letters, self._acknowledgements, self._releases)
        with self.due:
            for lane in lanes:
                lane.since = -math.inf
            self.due.notify_all()
            self._room.wait_for(lambda: self._sending == 0 and not any(lane.entries for lane in lanes), seconds)

    def send_at_once(self) -> None:
        """From now on, no entry waits for others, and no thread for room."""
        with self.due:
            self._linger = 0.0
            self._most_waiting = math.inf
            self.due.notify_all()
            self._room.notify_all()

    def close(self, seconds: float = 5.0) -> None:
        """Send everything that waits, and end; what the broker has not taken after so many seconds is given up."""
        self.send_at_once()
        with self.due:
            self._ends_at = self._clock() + seconds
            self._closing = True
            self.due.notify_all()
        over = time.monotonic() + seconds + _LAST_ANSWER
        for thread in self._threads:
            thread.join(max(0.0, over - time.monotonic()))

    def _put(self, lane: _Lane, entry: _Entry) -> None:
        """Add from outside; waits while requests lag behind, so that poison cannot fill the memory."""
        if self._locally and lane is not self._dead_letters:
            self._settle_now(lane, entry)
            return
        # A letter that settles may end more messages, on a thread that makes room.
        if lane.waiting >= self._most_waiting and threading.current_thread() not in self._threads:
            with self._room:
                self._room.wait_for(lambda: lane.waiting < self._most_waiting)
        self._add(lane, entry)

    def _settle_now(self, lane: _Lane, entry: _Entry) -> None:
        """Carry it out on the caller's thread: it takes no request."""
        try:
            self._send(lane, [entry])
        except Exception as error:
            _log.warning("settle_failed", exc_info=True, extra={"fields": {"settle": lane.name}})
            self._again(lane, [entry], type(error).__name__)

    def _add(self, lane: _Lane, entry: _Entry) -> None:
        with self._lock:
            if not lane.entries:
                lane.since = time.monotonic()
            lane.entries.append(entry)
            # One thread for the first, to watch the time, and one for each full batch.
            if len(lane.entries) == 1 or len(lane.entries) % self._largest == 0:
                self.due.notify()

    def _settle(self) -> None:
        while (work := self._next()) is not None:
            lane, entries = work
            try:
                self._send(lane, entries)
            except BaseException as error:  # a thread that died here would take every ending along
                fields = {"settle": lane.name, "entries": len(entries), "error": type(error).__name__}
                _log.warning("settle_failed", extra={"fields": fields})
                self._again(lane, entries, type(error).__name__)
            with self.due:
                self._sending -= 1
                if self._sending == 0:
                    self._room.notify_all()
                if self._closing:
                    self.due.notify_all()

    def _next(self) -> tuple[_Lane, list[_Entry]] | None:
        """Wait for a batch that is full, old enough, or the last; None when closed and empty for good."""
        # Dead letters first: those that arrive turn into acknowledgements.
        lanes = (self._dead_letters, self._acknowledgements, self._releases)
        with self.due:
            while True:
                now = time.monotonic()
                for lane in lanes:
                    lane.wake(now)
                    if lane.entries and (
                        self._closing or len(lane.entries) >= self._largest or now - lane.since >= self._linger
                    ):
                        entries = lane.take()
                        lane.since = now
                        self._sending += 1
                        self._room.notify_all()
                        self.due.notify()  # the thread that wakes up watches over the rest
                        return lane, entries
                # What is under way may add: an acknowledgement of a letter that arrived, another try of what failed.
                if self._closing and self._sending == 0 and not any(lane.waiting for lane in lanes):
                    return None
                next_looks = [lane.since + self._linger for lane in lanes if lane.entries]
                next_looks += [lane.later[0][0] for lane in lanes if lane.later]
                self.due.wait(max(0.0, min(next_looks) - now) if next_looks else None)

    def _send(self, lane: _Lane, entries: list[_Entry]) -> None:
        if lane is not self._acknowledgements:
            entries = self._still_ours(lane, entries)
            if not entries:
                return
        if lane is self._dead_letters:
            failures = self._broker.dead_letter([_dead_letter(entry) for entry in entries])
        elif lane is self._acknowledgements:
            failures = self._broker.acknowledge([entry.lease.delivery for entry in entries])
        else:
            now = self._clock()
            failures = self._broker.release(
                [(entry.lease.delivery, max(0, math.ceil(entry.due_at - now))) for entry in entries]
            )
        failed = {failure.index: failure for failure in failures} if failures else {}
        for index, entry in enumerate(entries):
            if (failure := failed.get(index)) is None:
                self._sent(lane, entry)
            elif failure.permanent:
                self._give_up(lane, entry, failure.code)
            else:
                self._again(lane, [entry], failure.code)

    def _still_ours(self, lane: _Lane, entries: list[_Entry]) -> list[_Entry]:
        """Those whose message is not back by itself: its next worker would lose it, or write a second letter."""
        ours = [entry for entry in entries if entry.lease.leased_until > self._clock()]
        for entry in entries:
            if entry not in ours and (entry.tries or lane is self._dead_letters):
                self._give_up(lane, entry, "too late")
        return ours

    def _sent(self, lane: _Lane, entry: _Entry) -> None:
        if lane is self._dead_letters:
            (self._settle_now if self._locally else self._add)(self._acknowledgements, _Entry(lease=entry.lease))
            if entry.letter:
                entry.letter.settled(True)
        else:
            self._leases.end(entry.lease)
            if self._owed:
                self._owed.pop(entry.lease.delivery.id, None)

    def _again(self, lane: _Lane, entries: list[_Entry], why: str) -> None:
        now = self._clock()
        for entry in entries:
            entry.tries += 1
            if self._is_too_late(lane, entry, now):
                self._give_up(lane, entry, why)
                continue
            cap = _LAST_PAUSE if self._closing else _LONGEST_PAUSE
            at = time.monotonic() + equal_jitter(entry.tries, base=_FIRST_PAUSE, cap=cap)
            with self.due:
                heapq.heappush(lane.later, (at, next(self._numbers), entry))
                self.due.notify()

    def _is_too_late(self, lane: _Lane, entry: _Entry, now: float) -> bool:
        if now >= self._ends_at or entry.lease.lost or now >= entry.lease.leased_until:
            return True
        return lane is self._dead_letters and now >= entry.since + _LETTER_PATIENCE

    def _give_up(self, lane: _Lane, entry: _Entry, code: str) -> None:
        """Leave the message to the end of its lease: it comes back, and the broker counts its deliveries."""
        delivery = entry.lease.delivery
        if lane is self._acknowledgements:  # if it comes back to this process, it is acknowledged then
            self._owed[delivery.id] = None
            while len(self._owed) > _MOST_REMEMBERED:
                self._owed.popitem(last=False)
        self._leases.end(entry.lease)
        fields = {"message_id": delivery.id, "settle": lane.name, "code": code, "tries": entry.tries}
        _log.warning("settle_gave_up", extra={"fields": fields})
        self._on_given_up()
        if entry.letter:
            entry.letter.settled(False)


def _dead_letter(entry: _Entry) -> DeadLetter:
    letter = entry.letter or Letter(reason="")
    return DeadLetter(delivery=entry.lease.delivery, reason=letter.reason, detail=letter.detail)
