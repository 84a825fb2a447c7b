"""Numbers, spans and moments in words."""

from datetime import datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def in_words(seconds: float) -> str:
    """A span in its two largest units.

        >>> in_words(7_384)
        '2 h 3 min'
        >>> in_words(0.4)
        '0 s'

    Args:
        seconds: The span.
    """
    left = max(0, round(seconds))
    for place, (unit, size) in enumerate(_UNITS):
        if left >= size or size == 1:
            rest = left % size
            if rest and place + 1 < len(_UNITS):
                smaller, length = _UNITS[place + 1]
                if rest >= length:
                    return f"{left // size} {unit} {rest // length} {smaller}"
            return f"{left // size} {unit}"
    return "0 s"


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number of things.

        >>> counted(1, "letter"), counted(12_000, "letter")
        ('1 letter', '12,000 letters')

    Args:
        number: How many.
        singular: What one is called.
        plural: What several are called. Defaults to the singular with an s.
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def moment(seconds: float, *, now: float) -> str:
    """A moment in the machine's own time: the time of today, else with its date.

    Args:
        seconds: Seconds since 1970.
        now: Seconds since 1970, now.
    """
    then, today = datetime.fromtimestamp(seconds).astimezone(), datetime.fromtimestamp(now).astimezone()
    return then.strftime("%H:%M:%S" if then.date() == today.date() else "%Y-%m-%d %H:%M")
