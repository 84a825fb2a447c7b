"""Durations as plain seconds, so that they can be compared and checked."""

from aws_cdk import Duration


def in_seconds(duration: Duration | None, default: int) -> int:
    """`duration` in seconds, or `default` when the caller left it to us."""
    return default if duration is None else int(duration.to_seconds())


def in_words(seconds: int) -> str:
    """The largest unit that says it exactly: 345600 -> "4 days", 90 -> "90 s"."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
