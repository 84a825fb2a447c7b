"""How long a test waits for what must come: it fails by it, and never succeeds by it."""

import time
from collections.abc import Callable

#: Seconds. Longer than the slowest machine needs, and shorter than the 100 seconds and more that some tests show not
#: to be waited for.
PATIENCE = 90.0


def until(condition: Callable[[], object], *, every: float = 0.005) -> None:
    """Wait until a condition holds.

    Args:
        condition: Called again and again.
        every: The pause between two calls, in seconds: a poll's pace, not a wait for something to have happened.

    Raises:
        AssertionError: It did not hold within PATIENCE.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen within {PATIENCE:.0f} seconds"
        time.sleep(every)
