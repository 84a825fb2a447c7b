"""An outage: a store that the worker needs does not work, so that no message can be handled properly."""

import logging
import math
import threading
import time
from collections.abc import Callable

from fargate_workers_runtime.pipeline.backoff import full_jitter

_log = logging.getLogger(__name__)

#: The longest pause between two looks at the store, in seconds.
_CAP = 30.0

#: An outage that begins within so many seconds of the last one's end is the same one: its pauses go on growing.
_SAME = 60.0


class Outage:
    """Whether there is one, of any store. While there is, the worker receives nothing.

    Each delivery that fails because of a store counts towards the dead-letter queue, where a healthy message has no
    business. So an outage costs the messages in flight one delivery, and no others any.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._checks: dict[Callable[[], None], int] = {}  # of each store that failed, and how often it has since
        self._tries = 0
        self._ended_at = -math.inf

    @property
    def lasts(self) -> bool:
        return bool(self._checks)

    def begin(self, check: Callable[[], None]) -> None:
        """A store failed; `check` raises until it does again what it failed to do."""
        with self._lock:
            if not self._checks and self._clock() - self._ended_at > _SAME:
                self._tries = 0
            self._checks[check] = self._checks.get(check, 0) + 1

    def outlast(self, stopping: threading.Event) -> None:
        """Ask the stores again and again, ever more slowly, until all do as asked or `stopping` is set."""
        while self._checks:
            self._tries += 1
            if stopping.wait(full_jitter(self._tries, base=1, cap=_CAP)):
                return
            for check, failures in list(self._checks.items()):
                try:
                    check()
                except Exception as error:
                    fields = {"tries": self._tries, "error": type(error).__name__}
                    _log.warning("store_unavailable", extra={"fields": fields})
                else:
                    self._end(check, failures)

    def _end(self, check: Callable[[], None], failures: int) -> None:
        with self._lock:
            if self._checks[check] != failures:  # it failed once more meanwhile
                return
            del self._checks[check]
            self._ended_at = self._clock()
        _log.info("store_available", extra={"fields": {"tries": self._tries}})
