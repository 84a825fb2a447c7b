"""A thread that does one small thing again and again until it is stopped."""

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)

#: How long a tick that is under way is waited for, in seconds.
_LONGEST_TICK = 5.0


class Ticker:
    """A thread that calls `action` every `seconds`. One that fails is logged and called again at the next tick."""

    def __init__(self, name: str, *, seconds: float, action: Callable[[], object]) -> None:
        self._name = name
        self._seconds = seconds
        self._action = action
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._tick, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop, after a tick that is under way, unless that waits for an answer that does not come."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_LONGEST_TICK)

    def _tick(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._action()
            except BaseException:
                _log.exception("tick_failed", extra={"fields": {"ticker": self._name}})
