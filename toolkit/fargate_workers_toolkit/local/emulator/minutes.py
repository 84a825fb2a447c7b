"""What AWS does once a minute, in one order, whether minutes pass by themselves or by hand."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from fargate_workers_toolkit.local.emulator.clock import Clock

logger = logging.getLogger("local.minutes")

# Functions know the time by the wall clock: one must not begin in one minute there and read the clock in the next.
# So much of the wall clock's minute must be left, in lengths of the longest beginning so far, whatever the machine.
ROOM = 3
LONGEST_ROOM_SECONDS = 30.0


class Minutes:
    """Ends minutes.

    Args:
        clock: The clock of the embedded AWS.
        at_end: What happens when one ends, in this order: what was measured must be there when it is judged.
        at_begin: What happens when the next has begun.
    """

    def __init__(
        self, clock: Clock, *, at_end: Sequence[Callable[[], None]], at_begin: Sequence[Callable[[], None]]
    ) -> None:
        self._clock = clock
        self._at_end = at_end
        self._at_begin = at_begin
        self._lock = threading.Lock()
        self._longest_beginning = 1.0

    def flow(self) -> None:
        """Let minutes pass by themselves, without end. One that took longer makes none after it shorter."""
        seconds = self._clock.seconds_per_minute
        if seconds is None:
            return
        while True:
            begun = self._clock.begin_of(self._clock.minute)
            time.sleep(max(0.0, begun + seconds - time.time()))
            self.end()

    def end(self) -> int:
        """End the minute that runs; return the one that runs now, when all that belongs to its beginning is done."""
        with self._lock:
            self._finish()
            return self._begin()

    def finish(self) -> None:
        """Do what happens at the end of the minute that runs; `begin` follows when its effects are there."""
        with self._lock:
            self._finish()

    def begin(self) -> int:
        """Begin the next minute after `finish`; return it, when all that belongs to its beginning is done."""
        with self._lock:
            return self._begin()

    def _finish(self) -> None:
        for action in self._at_end:
            _try(action)

    def _begin(self) -> int:
        begun = _when_a_minute_has(min(ROOM * self._longest_beginning, LONGEST_ROOM_SECONDS))
        self._clock.begin_minute(begun)
        for action in self._at_begin:
            _try(action)
        self._longest_beginning = max(self._longest_beginning, time.time() - begun)
        return self._clock.minute


def _when_a_minute_has(seconds: float) -> float:
    """The present, or the beginning of the wall clock's next minute where less than so much is left of this one."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left)
    return time.time()


def _try(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:
        logger.exception("A minute failed")
