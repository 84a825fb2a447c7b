"""Numbers with their units, as people type them: `10M/day`, `2KB`, `50ms`."""

import math
import re
from collections.abc import Mapping

from fargate_workers_toolkit.errors import ChoosingError

_NUMBER = re.compile(r"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?P<rest>.*)")
_MULTIPLES: Mapping[str, float] = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9}
#: How often each period comes in a day.
_PERIODS: Mapping[str, float] = {
    "": 1,
    "s": 86_400,
    "second": 86_400,
    "min": 1_440,
    "minute": 1_440,
    "h": 24,
    "hour": 24,
    "d": 1,
    "day": 1,
    "month": 12 / 365,
}
_BYTES: Mapping[str, float] = {
    "": 1,
    "b": 1,
    "kb": 1e3,
    "mb": 1e6,
    "kib": 2**10,
    "mib": 2**20,
}
_SECONDS: Mapping[str, float] = {
    "": 1,
    "ms": 0.001,
    "s": 1,
    "min": 60,
    "m": 60,
    "h": 3_600,
    "d": 86_400,
    "w": 604_800,
}


def messages_a_day(text: str) -> float:
    """Messages a day, of a rate.

    >>> messages_a_day("10M/day"), messages_a_day("100/s"), messages_a_day("5000")
    (10000000.0, 8640000.0, 5000.0)

    Args:
        text: A number, then `k`, `M` or `G`, then `/s`, `/min`, `/h`, `/day` or `/month`; without, a day.

    Raises:
        ChoosingError: It is no rate.
    """
    number, rest = _split(text, example="10M/day")
    multiple, _, period = rest.partition("/")
    if multiple.strip().lower() not in _MULTIPLES or period.strip().lower() not in _PERIODS:
        raise ChoosingError(f"{text!r} is no rate of messages; write, for example, 10M/day or 100/s.")
    return number * _MULTIPLES[multiple.strip().lower()] * _PERIODS[period.strip().lower()]


def size(text: str) -> float:
    """Bytes.

    >>> size("2KB"), size("1MiB")
    (2000.0, 1048576.0)

    Args:
        text: A number, then `B`, `KB`, `MB`, `KiB` or `MiB`; without, bytes.

    Raises:
        ChoosingError: It is no size.
    """
    return _with_unit(text, _BYTES, example="2KB", what="size")


def seconds(text: str) -> float:
    """Seconds.

    >>> seconds("50ms"), seconds("7d")
    (0.05, 604800.0)

    Args:
        text: A number, then `ms`, `s`, `min`, `h` or `d`; without, seconds.

    Raises:
        ChoosingError: It is no duration.
    """
    return _with_unit(text, _SECONDS, example="50ms", what="duration")


def _with_unit(text: str, units: Mapping[str, float], *, example: str, what: str) -> float:
    number, unit = _split(text, example=example)
    if unit.lower() not in units:
        known = ", ".join(each for each in units if each)
        raise ChoosingError(f"{text!r} is no {what}; write, for example, {example} (units: {known}).")
    return number * units[unit.lower()]


def _split(text: str, *, example: str) -> tuple[float, str]:
    match = _NUMBER.fullmatch(text.strip().replace(",", "").replace("_", ""))
    if match is None or not math.isfinite(number := float(match["number"])):
        raise ChoosingError(f"{text!r} does not begin with a number; write, for example, {example}.")
    return number, match["rest"].strip()
