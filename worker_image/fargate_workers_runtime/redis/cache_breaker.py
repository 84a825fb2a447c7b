"""A circuit breaker for a cache that does not answer, so that not every read waits for a timeout."""

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)

#: Failures in a row that open it: one may be a closed connection, three are the cache.
_FAILURES = 3

#: Answers that make up for one failure, as a timeout costs many times what a copy saves.
_ANSWERS = 10

#: How long it stays open before one caller may try again, in seconds. With a timeout of 100 ms that is 2 % of one
#: thread's time at most.
_PAUSE = 5.0


class CacheBreaker:
    """A circuit breaker: closed, it lets every caller through; open, one every five seconds.

    It opens after three failures in a row, or when more than one call in ten fails for a while. After the answer that
    closes it the next failure opens it again: a cache that answers half of the time stays shut out.
    """

    def __init__(self, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0.0
        self._try_at: float | None = None  # while open

    def lets_through(self) -> bool:
        with self._lock:
            if self._try_at is None:
                return True
            if self._clock() < self._try_at:
                return False
            self._try_at = self._clock() + _PAUSE
            return True

    def answered(self) -> None:
        with self._lock:
            closes = self._try_at is not None
            self._try_at = None
            self._failures = max(0.0, self._failures - 1 / _ANSWERS)
        if closes:
            _log.info("cache_answers", extra={"fields": {"cache": self._name}})

    def failed(self, error: Exception) -> None:
        with self._lock:
            self._failures = min(_FAILURES, self._failures + 1)
            is_open = self._failures == _FAILURES
            opens = is_open and self._try_at is None
            if is_open:
                self._try_at = self._clock() + _PAUSE
        if opens:
            _log.warning("cache_unavailable", extra={"fields": {"cache": self._name, "error": repr(error)}})
