"""How fast letters are sent back: slowly first, then twice as fast every ten seconds, up to a limit."""

from fargate_workers_toolkit.operations.clock import Clock

#: Letters a second at the beginning.
FIRST = 1.0
_DOUBLES_EVERY = 10.0


class Pace:
    """A rate that grows.

    Args:
        clock: The time.
        most: Letters a second at most.
    """

    def __init__(self, clock: Clock, *, most: float) -> None:
        self._clock = clock
        self._most = most
        self._began = clock.now()
        self._due = self._began

    @property
    def rate(self) -> float:
        """Letters a second, now."""
        return rate_after(self._clock.now() - self._began, most=self._most)

    def wait(self) -> None:
        """Wait until the next letter is due."""
        now = self._clock.now()
        if self._due > now:
            self._clock.sleep(self._due - now)
        self._due = max(self._due, now) + 1 / self.rate


def rate_after(seconds: float, *, most: float) -> float:
    """The rate after a while.

    Args:
        seconds: How long letters have been sent.
        most: Letters a second at most.
    """
    return min(most, FIRST * 2 ** min(60.0, seconds // _DOUBLES_EVERY))


def seconds_for(letters: int, *, most: float) -> float:
    """How long a number of letters takes.

    Args:
        letters: How many.
        most: Letters a second at most.
    """
    seconds = 0.0
    left = float(letters)
    while left > 0 and (rate := rate_after(seconds, most=most)) < most:
        left -= rate * _DOUBLES_EVERY
        seconds += _DOUBLES_EVERY
        if left <= 0:
            return seconds + left / rate
    return seconds + max(0.0, left) / most
