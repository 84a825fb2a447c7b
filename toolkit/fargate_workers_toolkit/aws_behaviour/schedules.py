"""When scheduled actions happen: cron(), rate() and at() as Application Auto Scaling reads them.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

MONTHS = {
    name: number
    for number, name in enumerate(
        ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], start=1
    )
}
# The week begins on Sunday, with 1.
DAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], start=1)}
SATURDAY = 7
UNITS = {"minute": 60, "hour": 3600, "day": 86_400}

_RATE = re.compile(r"rate\(\s*(\d+)\s+(minute|hour|day)s?\s*\)")
_AT = re.compile(r"at\(\s*(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})\s*\)")
_CRON = re.compile(r"cron\((.*)\)")

IsDay = Callable[[date], bool]


class ScheduleError(ValueError):
    """An expression that AWS refuses."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The times at which an action happens.

    Args:
        expression: cron(), rate() or at().
        timezone: Of cron() and at(). Defaults to UTC.
        start: When it begins, in seconds since 1970; the action happens then, too. Defaults to None: at once.
        end: When it ends, in seconds since 1970. Defaults to None: never.

    Raises:
        ScheduleError: AWS refuses the schedule.
    """

    expression: str
    timezone: str = "UTC"
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        self._zone()
        _parsed(self.expression)

    @property
    def needs_date(self) -> bool:
        """Whether it differs from day to day."""
        parsed = _parsed(self.expression)
        return isinstance(parsed, datetime) or (isinstance(parsed, _Cron) and not parsed.daily) or self._is_bounded

    @property
    def minute(self) -> int:
        """The minute of the day in UTC, where it happens at that minute of every day and at no other; else -1."""
        cron = _parsed(self.expression)
        if isinstance(cron, _Cron) and not self.needs_date and self.timezone == "UTC":
            every = [60 * hour + minute for hour in cron.hours for minute in cron.minutes]
            return every[0] if len(every) == 1 else -1
        return -1

    @property
    def _is_bounded(self) -> bool:
        return self.start is not None or self.end is not None

    def moments(self, begin: float, end: float) -> list[float]:
        """The moments from `begin` on and before `end`, ascending, in seconds since 1970.

        Args:
            begin: The first moment that counts, in seconds since 1970.
            end: The first moment that no longer counts, in seconds since 1970.
        """
        first = begin if self.start is None else max(begin, self.start)
        last = end if self.end is None else min(end, self.end)
        found = {moment for moment in self._recurring(begin, last) if first <= moment < last}
        if self.start is not None and begin <= self.start < last:
            found.add(self.start)
        return sorted(found)

    def _recurring(self, begin: float, end: float) -> Iterator[float]:
        match _parsed(self.expression):
            case datetime() as once:
                yield once.replace(tzinfo=self._zone()).timestamp()
            case int() as seconds:
                origin = begin if self.start is None else self.start
                number = max(0, -int((origin - begin) // seconds))
                while (moment := origin + number * seconds) < end:
                    yield moment
                    number += 1
            case cron:
                yield from cron.moments(begin, end, self._zone())

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ScheduleError(f"{self.timezone!r} is no time zone") from None


@dataclass(frozen=True, kw_only=True)
class _Cron:
    minutes: Sequence[int]
    hours: Sequence[int]
    is_day: IsDay
    daily: bool

    def moments(self, begin: float, end: float, zone: ZoneInfo) -> Iterator[float]:
        day = datetime.fromtimestamp(begin, tz=zone).date()
        last = datetime.fromtimestamp(end, tz=zone).date()
        while day <= last:
            if self.is_day(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                        # An hour that a clock leaves out is none.
                        if moment.astimezone(UTC).astimezone(zone).hour == hour:
                            yield moment.timestamp()
            day += timedelta(days=1)


def _parsed(expression: str) -> _Cron | datetime | int:
    if found := _RATE.fullmatch(expression):
        if int(found[1]) < 1:
            raise ScheduleError(f"{expression} has a rate of nothing")
        return int(found[1]) * UNITS[found[2]]
    if found := _AT.fullmatch(expression):
        try:
            return datetime.fromisoformat(found[1])
        except ValueError:
            raise ScheduleError(f"{expression} is no moment") from None
    if found := _CRON.fullmatch(expression):
        return _cron(found[1].split(), expression)
    raise ScheduleError(f"{expression} is none of cron(), rate() and at()")


def _cron(fields: Sequence[str], expression: str) -> _Cron:
    if len(fields) != 6:
        raise ScheduleError(f"{expression} has {len(fields)} fields instead of 6")
    minutes, hours, day, month, weekday, year = (field.upper() for field in fields)
    if "?" in (minutes, hours, month, year):
        raise ScheduleError(f"{expression} has a ? that is neither a day of the month nor of the week")
    if {day, weekday} <= {"?"} or (day not in "*?" and weekday not in "*?"):
        raise ScheduleError(f"{expression} must have ? as its day of the month or of the week")
    try:
        months, years = _numbers(month, 1, 12, MONTHS), _numbers(year, 1970, 2199)
        of_month, of_week = _days(day, _one_day_of_month), _days(weekday, _one_day_of_week)
        return _Cron(
            minutes=_numbers(minutes, 0, 59),
            hours=_numbers(hours, 0, 23),
            is_day=lambda date: date.month in months and date.year in years and of_month(date) and of_week(date),
            daily=day in "*?" and weekday in "*?" and month == "*" and year == "*",
        )
    except ValueError as error:
        raise ScheduleError(f"{expression} has {error}, which AWS does not know") from None


def _numbers(field: str, least: int, most: int, names: dict[str, int] | None = None) -> list[int]:
    """The numbers that a field stands for.

    Raises:
        ValueError: A part of the field is not valid; the text is that part.
    """
    return sorted({number for part in field.split(",") for number in _range(part, least, most, names or {})})


def _range(part: str, least: int, most: int, names: dict[str, int]) -> Iterator[int]:
    span, slash, step = part.partition("/")
    begin, dash, end = span.partition("-")
    try:
        stride = int(step) if slash else 1
        if span == "*":
            first, last = least, most
        else:
            first = names.get(begin) or int(begin)
            last = (names.get(end) or int(end)) if dash else most if slash else first
    except ValueError:
        raise ValueError(repr(part)) from None
    if stride < 1 or not (least <= first <= most and least <= last <= most):
        raise ValueError(repr(part))
    if last < first:
        # From Friday to Monday.
        last += most - least + 1
    return (least + (number - least) % (most - least + 1) for number in range(first, last + 1, stride))


def _days(field: str, one: Callable[[str], IsDay]) -> IsDay:
    """The days that any part of `field` means, each part by `one`."""
    if field in ("*", "?"):
        return lambda _: True
    tests = [one(part) for part in field.split(",")]
    return lambda date: any(test(date) for test in tests)


def _one_day_of_month(part: str) -> IsDay:
    if part in ("L", "LW"):
        return lambda date: date.day == (_last_weekday(date) if part == "LW" else _days_of(date))
    if found := re.fullmatch(r"L-(\d{1,2})", part):
        return lambda date: date.day == _days_of(date) - int(found[1])
    if found := re.fullmatch(r"(\d{1,2})W", part):
        wanted = _numbers(found[1], 1, 31)[0]
        return lambda date: date.day == _nearest_weekday(date, wanted)
    days = _numbers(part, 1, 31)
    return lambda date: date.day in days


def _one_day_of_week(part: str) -> IsDay:
    if part == "L":
        return lambda date: _weekday(date) == SATURDAY
    if found := re.fullmatch(r"(\w+)L", part):
        (last,) = _numbers(found[1], 1, 7, DAYS)
        return lambda date: _weekday(date) == last and date.day + 7 > _days_of(date)
    if found := re.fullmatch(r"(\w+)#([1-5])", part):
        (day,) = _numbers(found[1], 1, 7, DAYS)
        return lambda date: _weekday(date) == day and (date.day + 6) // 7 == int(found[2])
    days = _numbers(part, 1, 7, DAYS)
    return lambda date: _weekday(date) in days


def _weekday(date: date) -> int:
    return date.isoweekday() % 7 + 1


def _days_of(date: date) -> int:
    return calendar.monthrange(date.year, date.month)[1]


def _last_weekday(date: date) -> int | None:
    return _nearest_weekday(date, _days_of(date))


def _nearest_weekday(month: date, day: int) -> int | None:
    """The weekday of that month nearest to a day of it; None where the month has no such day."""
    if day > _days_of(month):
        return None
    wanted = month.replace(day=day)
    match wanted.isoweekday():
        case 6:
            return day - 1 if day > 1 else day + 2
        case 7:
            return day + 1 if day < _days_of(month) else day - 2
        case _:
            return day
