"""Text and times out of what a handler gave, which need not have the type it should have."""

import math
from datetime import timedelta
from enum import Enum
from typing import Any

#: More of a text is of no use: an attribute of a dead letter takes less.
MAX_CHARACTERS = 2_000

#: The longest that SQS hides a message.
LONGEST_DELAY = timedelta(hours=12)


def text_of(value: Any) -> str:
    """`value` in plain words that UTF-8 can hold, cut short; `<its type>` if it has no text."""
    try:
        if isinstance(value, bytes | bytearray):
            value = value[:MAX_CHARACTERS].decode(errors="backslashreplace")
        elif isinstance(value, Enum):
            value = value.value
        text = value if isinstance(value, str) else str(value)
        # A slice by `str` itself is a plain string, whatever a subclass makes of its methods.
        plain = str.__getitem__(text, slice(MAX_CHARACTERS))
        return plain.encode(errors="backslashreplace").decode()
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"<{type(value).__name__}>"


def described(error: BaseException) -> str:
    """`error` as a traceback's last line has it: `ValueError: what is wrong`."""
    name, text = type(error).__name__, text_of(error)
    return f"{name}: {text}" if text else name


def delay_of(value: Any) -> timedelta | None:
    """`value`, a timedelta or seconds, between nothing and 12 hours; None if it is no length of time."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    try:
        seconds = float(value)
    except OverflowError:  # more than a float holds
        seconds = math.inf if value > 0 else 0.0
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None
    if math.isnan(seconds):
        return None
    return timedelta(seconds=min(max(0.0, seconds), LONGEST_DELAY.total_seconds()))
