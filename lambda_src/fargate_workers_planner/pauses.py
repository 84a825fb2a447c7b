"""How long a worker stays paused beyond what was meant, by the tags that a pause leaves on its service. Pure."""

from collections.abc import Mapping
from datetime import datetime

#: The tags, each a moment in ISO 8601: since when, and until when it is meant to last.
PAUSED_AT = "fargate-workers:paused-at"
PAUSED_UNTIL = "fargate-workers:paused-until"

#: Seconds that a pause without an end is taken to be meant for.
LONGEST_PAUSE = 86_400.0


def overdue_seconds(tags: Mapping[str, str], *, now: float) -> float | None:
    """Seconds for which a pause has lasted too long, 0 while it may last; None where there is no pause.

    Args:
        tags: The tags of the worker's service.
        now: Seconds since 1970.
    """
    since = moment(tags.get(PAUSED_AT))
    if since is None:
        return None
    until = moment(tags.get(PAUSED_UNTIL))
    return max(0.0, now - (since + LONGEST_PAUSE if until is None else until))


def moment(text: str | None) -> float | None:
    """The moment that a tag names, in seconds since 1970; None where it names none.

    Args:
        text: The tag's value, or None.
    """
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
