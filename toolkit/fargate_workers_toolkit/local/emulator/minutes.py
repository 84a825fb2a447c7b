"""What AWS does once a minute, in one order, whether minutes pass by themselves or by hand."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from fargate_workers_toolkit.local.emulator.clock import Clock

logger = logging.getLogger("local.minutes")

# Functions know the time by the wall clock: one must not begin in one minute there and read the clock in the next.
TURN_SECONDS = 1.0


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
            for action in self._at_end:
                _try(action)
            self._clock.begin_minute(_after_the_turn())
            for action in self._at_begin:
                _try(action)
            return self._clock.minute


def _after_the_turn() -> float:
    """The present, or the beginning of the wall clock's next minute where that is near."""
    left = 60 - time.time() % 60
    if left < TURN_SECONDS:
        time.sleep(left)
    return time.time()


def _try(action: Callable[[], None]) -> None:
    try:
        action()
    except Exception:
        logger.exception("A minute failed")
