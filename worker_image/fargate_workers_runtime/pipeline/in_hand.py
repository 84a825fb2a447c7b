"""Waiting in hand: what is tried again later stays in this process, where that saves deliveries.

Where the order of groups holds, the messages behind a failed one have been delivered with it. Released, they would be
delivered again with each of its attempts, and be given up for its failures. So the first message of a group waits here
for its next attempt, and the rest behind it: their leases are renewed, and no handler's thread waits with them. So
does, with any broker, a duplicate whose key another attempt holds.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable

from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work
from fargate_workers_runtime.pipeline.leases import Leases


class InHand:
    """Lines that wait for their time.

    Args:
        most: Messages that may wait here. More are released: a broker counts what is in flight.
        longest_run: Seconds that a handler may take.
    """

    def __init__(
        self,
        inbox: Inbox,
        leases: Leases,
        *,
        most: int,
        longest_run: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox = inbox
        self._leases = leases
        self._most = most
        self._longest_run = longest_run
        self._clock = clock
        self._changed = threading.Condition()
        self._lines: list[tuple[float, int, Line]] = []
        self._numbers = itertools.count()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def keep(self, line: Line, work: Work, seconds: float) -> bool:
        """Keep `line`, with `work` its first, until its time; False if it must be released."""
        if self._leases.longest_hold(work.lease) < seconds + self._longest_run:
            return False  # the lease would end before the attempt does
        if not self._is_watched():
            return False
        work.lease.begin_again()
        line.due_at = self._clock() + seconds
        if not self._inbox.park(line, work, most=self._most):
            return False
        with self._changed:
            heapq.heappush(self._lines, (line.due_at, next(self._numbers), line))
            self._changed.notify()
        return True

    def _is_watched(self) -> bool:
        """Whether a thread resumes what is kept; False if none is to be had just now."""
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._watch, name="in-hand", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
            return True

    def stop(self) -> None:
        """End; the inbox takes back lines that wait."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _watch(self) -> None:
        while (line := self._next()) is not None:
            self._inbox.resume(line)

    def _next(self) -> Line | None:
        """Wait for the next line whose time has come; None when stopped."""
        with self._changed:
            while not self._stopped:
                now = self._clock()
                if self._lines and self._lines[0][0] <= now:
                    return heapq.heappop(self._lines)[2]
                self._changed.wait(self._lines[0][0] - now if self._lines else None)
        return None
