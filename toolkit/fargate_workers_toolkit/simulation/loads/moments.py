"""Moments as files spell them, as seconds since 1970 or of a clock of their own."""

import math
from datetime import UTC, datetime

# As a moment in seconds this lies beyond the year 5000: it is in milliseconds.
LATEST = 1e11
# Earlier ones, in 1973, are seconds of no calendar.
EARLIEST_DATE = 1e8


def moment_of(text: str) -> float:
    """A moment in seconds.

    Args:
        text: The moment as a file spells it.

    Raises:
        ValueError: It is no moment.
        OverflowError: It lies too far away.
    """
    try:
        number = float(text)
    except ValueError:
        # CloudWatch's console writes 2026/11/20 00:00:00.
        moment = datetime.fromisoformat(text.replace("/", "-"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return number / 1000 if abs(number) > LATEST else number


def is_moment(text: str) -> bool:
    """Whether it is one that can be calculated with."""
    try:
        return math.isfinite(moment_of(text))
    except (ValueError, OverflowError):
        return False
