"""Settling: messages end in batches of ten, which is most of what a queue worker can save."""

import logging
import math
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from fargate_workers_runtime.backoff import full_jitter
from fargate_workers_runtime.leases import Lease, Leases
from fargate_workers_runtime.queue import BATCH, DeadLetter, Failure, Queue

_log = logging.getLogger(__name__)

#: How long an entry waits for nine others, in seconds, by the worker's pacing.
LINGER = {"latency": 0.25, "economy": 1.0}

#: Requests under way at once; one slow answer must not hold up the others.
_THREADS = 4

#: Sends of one entry, each of which botocore repeats on its own; after that, the message comes back.
_TRIES = 3

#: Entries that may wait for one kind of request before handlers and receives wait too.
_MOST_WAITING = 100


@dataclass(kw_only=True)
class _Entry:
    lease: Lease
    seconds: int = 0
    letter: DeadLetter | None = None
    tries: int = 0


@dataclass(eq=False, kw_only=True)
class _Lane:
    """One kind of ending, and the entries that wait for its next request."""

    name: Literal["delete", "set_visibility", "bury"]
    entries: list[_Entry] = field(default_factory=list[_Entry])
    since: float = 0.0


class Settler:
    """Ends messages: `done` deletes, `back` returns to the queue, `bury` moves to the dead-letter queue.

    Each sends ten entries, or what came within `linger` seconds, in one request; `close` sends all that waits.
    """

    def __init__(self, queue: Queue, leases: Leases, *, linger: float = LINGER["latency"]) -> None:
        self._queue = queue
        self._leases = leases
        self._linger = linger
        lock = threading.Lock()
        self._due = threading.Condition(lock)  # a thread should look at the lanes again
        self._room = threading.Condition(lock)  # an entry may be put in
        self._closing = False
        self._sending = 0
        self._letters = _Lane(name="bury")
        self._deletes = _Lane(name="delete")
        self._visibilities = _Lane(name="set_visibility")
        self._threads = [
            threading.Thread(target=self._settle, name=f"settler-{number}", daemon=True) for number in range(_THREADS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def done(self, lease: Lease) -> None:
        """The message is finished. Its lease is kept until it is deleted: a slow delete must not bring it back."""
        self._put(self._deletes, _Entry(lease=lease))

    def back(self, lease: Lease, seconds: int) -> None:
        """The message comes back after `seconds`; 0 at once."""
        self._leases.let_go(lease)
        self._put(self._visibilities, _Entry(lease=lease, seconds=seconds))

    def bury(self, lease: Lease, *, reason: str, detail: str) -> None:
        """The message goes to the dead-letter queue, with the reason, and leaves this one once it is there.

        Without a dead-letter queue to send to, it is left to the redrive policy, if there is one.
        """
        if not self._queue.has_dead_letter_queue:
            self.back(lease, math.ceil(full_jitter(lease.received.receive_count)))
            return
        letter = DeadLetter(received=lease.received, reason=reason, detail=detail)
        self._put(self._letters, _Entry(lease=lease, letter=letter))

    def hurry(self) -> None:
        """From now on, let nothing wait for company."""
        with self._due:
            self._linger = 0.0
            self._due.notify_all()

    def close(self) -> None:
        """Send everything that waits, and end."""
        with self._due:
            self._closing = True
            self._due.notify_all()
            self._room.notify_all()
        for thread in self._threads:
            thread.join()

    def _put(self, lane: _Lane, entry: _Entry) -> None:
        """Add from outside; waits while requests lag behind, so that poison cannot fill the memory."""
        with self._room:
            self._room.wait_for(lambda: len(lane.entries) < _MOST_WAITING or self._closing)
        self._add(lane, entry)

    def _add(self, lane: _Lane, entry: _Entry) -> None:
        with self._due:
            if not lane.entries:
                lane.since = time.monotonic()
            lane.entries.append(entry)
            # Nobody is woken for an entry that will wait for company anyway.
            if len(lane.entries) == 1 or len(lane.entries) >= BATCH:
                self._due.notify()

    def _settle(self) -> None:
        while (work := self._next()) is not None:
            lane, entries = work
            try:
                self._send(lane, entries)
            except Exception as error:
                fields = {"settle": lane.name, "entries": len(entries), "error": type(error).__name__}
                _log.warning("settle_failed", extra={"fields": fields})
                self._again(lane, entries)
            with self._due:
                self._sending -= 1
                if self._closing:
                    self._due.notify_all()

    def _next(self) -> tuple[_Lane, list[_Entry]] | None:
        """Wait for a batch that is full, old enough, or the last; None when closed and empty for good."""
        # Letters first: those that arrive turn into deletes.
        lanes = (self._letters, self._deletes, self._visibilities)
        with self._due:
            while True:
                waiting = [lane for lane in lanes if lane.entries]
                now = time.monotonic()
                for lane in waiting:
                    if self._closing or len(lane.entries) >= BATCH or now - lane.since >= self._linger:
                        entries, lane.entries = lane.entries[:BATCH], lane.entries[BATCH:]
                        lane.since = now
                        self._sending += 1
                        self._room.notify_all()
                        self._due.notify()  # whoever wakes up watches over the rest
                        return lane, entries
                # What is under way may add: a letter that arrived turns into a delete, a failure into another try.
                if self._closing and self._sending == 0:
                    return None
                oldest = min((lane.since for lane in waiting), default=None)
                self._due.wait(None if oldest is None else max(0.0, oldest + self._linger - now))

    def _send(self, lane: _Lane, entries: list[_Entry]) -> None:
        if lane is self._letters:
            failures = self._queue.bury([entry.letter for entry in entries if entry.letter])
        elif lane is self._deletes:
            failures = self._queue.delete([entry.lease.received.receipt for entry in entries])
        else:
            failures = self._queue.set_visibility([(entry.lease.received.receipt, entry.seconds) for entry in entries])
        failed = {failure.index: failure for failure in failures}
        self._again(
            lane, [entry for index, entry in enumerate(entries) if index in failed and not failed[index].permanent]
        )
        for index, entry in enumerate(entries):
            if index not in failed:
                self._finish(lane, entry)
            elif failed[index].permanent:
                self._give_up(lane, entry, failed[index])

    def _finish(self, lane: _Lane, entry: _Entry) -> None:
        if lane is self._letters:
            self._add(self._deletes, _Entry(lease=entry.lease))
        else:
            self._leases.forget(entry.lease)

    def _again(self, lane: _Lane, entries: list[_Entry]) -> None:
        for entry in entries:
            entry.tries += 1
            if entry.tries < _TRIES:
                self._add(lane, entry)
            else:
                self._give_up(lane, entry, Failure(index=0, permanent=False, code="tried three times"))

    def _give_up(self, lane: _Lane, entry: _Entry, failure: Failure) -> None:
        """Leave the message to its visibility: it comes back, and the redrive policy counts its deliveries."""
        self._leases.forget(entry.lease)
        fields = {"message_id": entry.lease.received.id, "settle": lane.name, "code": failure.code}
        _log.warning("settle_gave_up", extra={"fields": fields})
