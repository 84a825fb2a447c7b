"""A clock that a test advances."""

import time
from datetime import timedelta


class Clock:
    """A clock in seconds since the epoch that stands still between calls of `advance`."""

    def __init__(self) -> None:
        self._now = float(int(time.time()))

    def __call__(self) -> float:
        return self._now

    def advance(self, by: float | timedelta) -> None:
        """A step of the clock.

        Args:
            by: How far, as a timedelta or in seconds.
        """
        self._now += by.total_seconds() if isinstance(by, timedelta) else by
