"""How often a schedule fires, read from its expression. Pure arithmetic; daylight saving is left out."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import NamedTuple

from fargate_workers.errors import ConfigurationError

_DAY_MINUTES = 24 * 60
_UNITS = {"minute": 1, "hour": 60, "day": _DAY_MINUTES}
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_WEEKDAYS = {"SUN": 1, "MON": 2, "TUE": 3, "WED": 4, "THU": 5, "FRI": 6, "SAT": 7}
# Enough to meet every weekday on every date, and a leap day; a fixed span gives the same answer every year.
_DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(8 * 366)]


class NotWorkedOutError(ConfigurationError):
    """The expression may be right, but how often it fires is more than we work out."""


class Gaps(NamedTuple):
    """The shortest and the longest time between two runs."""

    shortest: timedelta
    longest: timedelta


def gaps(expression: str) -> Gaps:
    """The shortest and the longest time between two runs of "rate(5 minutes)" or "cron(0 6 ? * MON-FRI *)".

    Raises:
        ConfigurationError: The text is none of the two, or the cron almost never fires.
        NotWorkedOutError: The cron has a year, or one of the signs L, W and #.
    """
    if rate := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        period = timedelta(minutes=int(rate[1]) * _UNITS[rate[2]])
        if not period:
            raise ConfigurationError(f"The schedule {expression!r} has no period; use at least 1 minute.")
        return Gaps(period, period)
    if cron := re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", expression):
        return _cron_gaps(expression, cron.groups())
    raise ConfigurationError(
        f"The schedule {expression!r} is neither rate(...) nor cron(...) with six fields; write one of them."
    )


def _cron_gaps(expression: str, fields: Sequence[str]) -> Gaps:
    minute, hour, day, month, weekday, year = fields
    if year != "*" or re.search(r"[LW#]", re.sub(r"[A-Z]{3}", "", day + weekday)):
        raise NotWorkedOutError(f"How often {expression!r} fires is more than we work out; say expected_every.")
    try:
        times = sorted(
            hours * 60 + minutes for hours in _values(hour, range(24)) for minutes in _values(minute, range(60))
        )
        days_of_month = _values(day, range(1, 32))
        months = _values(month, range(1, 13), _MONTHS)
        weekdays = _values(weekday, range(1, 8), _WEEKDAYS)
    except ValueError:
        raise ConfigurationError(
            f"The schedule {expression!r} has an invalid field; expected minute hour day month weekday year, "
            "such as cron(0 6 ? * MON-FRI *)."
        ) from None
    days = [
        number
        for number, today in enumerate(_DAYS)
        if today.month in months and today.day in days_of_month and today.isoweekday() % 7 + 1 in weekdays
    ]
    if len(days) < 2:
        raise ConfigurationError(f"The schedule {expression!r} never fires, or almost never; check the day fields.")
    overnight = [(later - earlier) * _DAY_MINUTES - (times[-1] - times[0]) for earlier, later in pairwise(days)]
    between = [later - earlier for earlier, later in pairwise(times)] + overnight
    return Gaps(timedelta(minutes=min(between)), timedelta(minutes=max(between)))


def _values(field: str, allowed: range, names: dict[str, int] | None = None) -> set[int]:
    """The numbers a field stands for: `*`, `?`, `5`, `1-5`, `MON,WED`, `0/15`, `10-40/10`."""
    return {value for part in field.split(",") for value in _part(part, allowed, names or {})}


def _part(part: str, allowed: range, names: dict[str, int]) -> Iterable[int]:
    span, slash, step = part.partition("/")
    if span in ("*", "?"):
        first, last = allowed[0], allowed[-1]
    else:
        start, dash, end = span.partition("-")
        first = _number(start, names)
        last = _number(end, names) if dash else allowed[-1] if slash else first
    numbers = range(first, last + 1, int(step) if slash else 1)
    if not numbers or numbers[0] not in allowed or numbers[-1] not in allowed:
        raise ValueError(part)
    return numbers


def _number(text: str, names: dict[str, int]) -> int:
    return names[text] if text in names else int(text)
