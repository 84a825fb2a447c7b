"""Time that passes when a test says so."""

import time
from datetime import timedelta


class Clock:
    """Seconds since the epoch, standing still between calls of `advance`."""

    def __init__(self) -> None:
        self._now = float(int(time.time()))

    def __call__(self) -> float:
        return self._now

    def advance(self, by: float | timedelta) -> None:
        """Let so many seconds pass at once."""
        self._now += by.total_seconds() if isinstance(by, timedelta) else by
