"""The time, which tests replace: what waits here waits by it."""

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """The time, and a way to wait."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: How long.
        """
        ...


@dataclass(frozen=True)
class WallClock:
    """The machine's own time."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: How long.
        """
        time.sleep(seconds)
