"""How long the process has stood still: stopped, frozen, or starved of its processor."""

import threading
import time
from collections.abc import Callable

#: Seconds between two ticks, and how late one may be by itself.
PERIOD = 0.5
_LATE = 0.5


class Standstill:
    """Counts the seconds that are missing between ticks, which a `Ticker` makes every PERIOD."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counted = 0.0
        self._ticked_at = clock()

    @property
    def seconds(self) -> float:
        """In all, so far. The caller may be the first to run after one."""
        with self._lock:
            return self._counted + self._missing(self._clock())

    def tick(self) -> None:
        """The process runs."""
        with self._lock:
            now = self._clock()
            self._counted += self._missing(now)
            self._ticked_at = now

    def _missing(self, now: float) -> float:
        late = now - self._ticked_at - PERIOD
        return late if late > _LATE else 0.0
