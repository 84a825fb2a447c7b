"""An outage: a store that the worker needs does not answer, so that no message could be worked on properly."""

import logging
import threading
from collections.abc import Callable

from fargate_workers_runtime.backoff import full_jitter

_log = logging.getLogger(__name__)

#: The longest pause between two looks at the store, in seconds.
_CAP = 30.0


class Outage:
    """Whether there is one. While there is, the worker receives nothing.

    Each delivery that fails for the store's sake counts towards the dead-letter queue, where a healthy message has no
    business. So an outage costs the messages in hand one delivery, and no others any.
    """

    def __init__(self) -> None:
        self._check: Callable[[], None] | None = None

    @property
    def lasts(self) -> bool:
        return self._check is not None

    def begin(self, check: Callable[[], None]) -> None:
        """A store failed; `check` raises until it answers again."""
        self._check = check

    def outlast(self, stopping: threading.Event) -> None:
        """Ask the store again and again, ever more slowly, until it answers or `stopping` is set."""
        tries = 0
        while (check := self._check) is not None:
            tries += 1
            if stopping.wait(full_jitter(tries, base=1, cap=_CAP)):
                return
            try:
                check()
            except Exception as error:
                _log.warning("store_unavailable", extra={"fields": {"tries": tries, "error": type(error).__name__}})
            else:
                self._check = None
                _log.info("store_available", extra={"fields": {"tries": tries}})
