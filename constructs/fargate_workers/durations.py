"""Durations, made and read once each, because every one of both is a round trip to the CDK's Node process."""

from functools import cache
from weakref import WeakKeyDictionary

from aws_cdk import Duration

_known: WeakKeyDictionary[Duration, int] = WeakKeyDictionary()


@cache
def seconds(amount: int) -> Duration:
    return Duration.seconds(amount)


@cache
def minutes(amount: int) -> Duration:
    return Duration.minutes(amount)


@cache
def days(amount: int) -> Duration:
    return Duration.days(amount)


def in_seconds(duration: Duration | None, default: int) -> int:
    """`duration` in seconds, or `default` if it is None."""
    return default if duration is None else _seconds_of(duration)


def _seconds_of(duration: Duration) -> int:
    """Whole seconds of `duration`."""
    if duration not in _known:
        _known[duration] = int(duration.to_seconds())
    return _known[duration]


def in_words(seconds: int) -> str:
    """`seconds` in the largest unit that is exact: 345600 -> "4 days", 90 -> "90 s"."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
