"""Scheduled actions happen when AWS lets them happen: by the calendar and the clock of their time zone."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.aws_behaviour.schedules import Schedule, ScheduleError
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScheduledAction
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.services import fixed

HOUR, DAY = 3600, 86_400


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def days(expression: str, month: str = "2026-11", *, count: int = 30) -> list[int]:
    """The days of a month on which it happens."""
    begin = at(f"{month}-01")
    return [
        int((moment - begin) // DAY) + 1
        for moment in Schedule(expression=expression).moments(begin, begin + count * DAY)
    ]


# November 2026 begins on a Sunday.
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 6 ? * MON-FRI *)", [day for day in range(1, 31) if day % 7 not in (0, 1)]),
        ("cron(0 6 ? * 2-6 *)", [day for day in range(1, 31) if day % 7 not in (0, 1)]),
        ("cron(0  6  ?  *  SAT,SUN  *)", [1, 7, 8, 14, 15, 21, 22, 28, 29]),
        ("cron(0 6 ? * FRI-MON *)", [1, 2, 6, 7, 8, 9, 13, 14, 15, 16, 20, 21, 22, 23, 27, 28, 29, 30]),
        ("cron(0 6 ? * 1 *)", [1, 8, 15, 22, 29]),
        ("cron(0 6 ? * L *)", [7, 14, 21, 28]),
        ("cron(0 6 ? * 6L *)", [27]),
        ("cron(0 6 ? * friL *)", [27]),
        ("cron(0 6 ? * TUE#2 *)", [10]),
        ("cron(0 6 ? * 3#5 *)", []),
        ("cron(0 6 L * ? *)", [30]),
        ("cron(0 6 L-3 * ? *)", [27]),
        ("cron(0 6 LW * ? *)", [30]),
        ("cron(0 6 1W * ? *)", [2]),
        ("cron(0 6 15W * ? *)", [16]),
        ("cron(0 6 14W * ? *)", [13]),
        ("cron(0 6 31W * ? *)", []),
        ("cron(0 6 1,15-17 * ? *)", [1, 15, 16, 17]),
        ("cron(0 6 1/10 * ? *)", [1, 11, 21]),
        ("cron(0 6 */10 NOV ? *)", [1, 11, 21]),
        ("cron(0 6 3 12 ? *)", []),
        ("cron(0 6 3 NOV-DEC ? 2025-2027)", [3]),
        ("cron(0 6 3 * ? 2027)", []),
        ("at(2026-11-20T06:00:00)", [20]),
        ("at(2025-11-20T06:00:00)", []),
    ],
)
def test_days_are_those_of_awss_language(expression: str, expected: list[int]) -> None:
    assert days(expression) == expected


@pytest.mark.parametrize(
    ("expression", "hours"),
    [
        ("cron(0 22-1 * * ? *)", [0, 1, 22, 23]),
        ("cron(0 8/6 * * ? *)", [8, 14, 20]),
        ("cron(0,30 12 * * ? *)", [12, 12.5]),
        ("cron(*/20 5 ? * * *)", [5, 5 + 1 / 3, 5 + 2 / 3]),
        ("rate(6 hours)", [0, 6, 12, 18]),
        ("rate(1 day)", [0]),
    ],
)
def test_hours_are_those_of_awss_language(expression: str, hours: list[float]) -> None:
    begin = at("2026-11-20")
    assert Schedule(expression=expression).moments(begin, begin + DAY) == [begin + HOUR * hour for hour in hours]


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("cron(0 6 * * MON)", "has 5 fields instead of 6"),
        ("cron(0 6 1 * MON *)", "must have [?] as its day"),
        ("cron(0 6 ? * ? *)", "must have [?] as its day"),
        ("cron(0 6 ? * 0 *)", "has '0', which AWS does not know"),
        ("cron(0 6 ? * 8 *)", "has '8', which"),
        ("cron(0 6 ? * MO *)", "has 'MO', which"),
        ("cron(60 6 * * ? *)", "has '60', which"),
        ("cron(0 6 32 * ? *)", "has '32', which"),
        ("cron(0 6 * 13 ? *)", "has '13', which"),
        ("cron(0/0 6 * * ? *)", "has '0/0', which"),
        ("cron(? 6 * * ? *)", "has a [?] that is neither"),
        ("rate(0 hours)", "a rate of nothing"),
        ("rate(1 week)", "is none of cron"),
        ("at(2026-13-01T00:00:00)", "is no moment"),
        ("every day", "is none of cron"),
    ],
)
def test_what_aws_refuses_is_refused(expression: str, sentence: str) -> None:
    with pytest.raises(ScheduleError, match=sentence):
        Schedule(expression=expression)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ScheduleError, match="'Europe/Berlim' is no time zone"):
        Schedule(expression="rate(1 day)", timezone="Europe/Berlim")


def test_a_start_is_a_moment_of_its_own_and_an_end_is_none() -> None:
    schedule = Schedule(expression="cron(0 6 * * ? *)", start=at("2026-11-20T12:00"), end=at("2026-11-22T06:00"))
    moments = schedule.moments(at("2026-11-18"), at("2026-11-28"))
    assert moments == [at("2026-11-20T12:00"), at("2026-11-21T06:00")]


def test_clocks_that_change_are_followed() -> None:
    """In Berlin they went back on 25 October 2026, and leave out an hour on 29 March."""
    evening = Schedule(expression="cron(0 20 * * ? *)", timezone="Europe/Berlin")
    assert evening.moments(at("2026-10-24"), at("2026-10-26")) == [at("2026-10-24T18:00"), at("2026-10-25T19:00")]
    night = Schedule(expression="cron(30 2 * * ? *)", timezone="Europe/Berlin")
    assert night.moments(at("2026-03-28T12:00"), at("2026-03-29T12:00")) == []


def scaled(begin: float | None, *schedules: tuple[str, str, int], seconds: int = 10 * HOUR) -> Result:
    """A service of 1 to 10 tasks, whose minimum becomes a number whenever a schedule in a time zone says so."""
    actions = [
        ScheduledAction(name=expression, schedule=Schedule(expression=expression, timezone=zone), minimum=tasks)
        for expression, zone, tasks in schedules
    ]
    service = replace(fixed(1), bounds=Bounds(1, 10), scheduled=actions)
    load = Load(name="dated", arrivals=np.full(seconds, 1), work_seconds=0.1, begin=begin)
    return simulate(service, load, slo=60)


def test_a_file_that_begins_in_the_evening_follows_the_clock_of_its_day() -> None:
    """18:00 in UTC is 19:00 in Berlin, in winter: the action of 20:00 comes after an hour."""
    desired = scaled(at("2026-11-20T18:00"), ("cron(0 20 * * ? *)", "Europe/Berlin", 5)).minutes.desired
    # Before the first action the template's bounds hold.
    assert (desired[58], desired[59], desired[-1]) == (1, 5, 5)


def test_a_weekend_is_no_weekday() -> None:
    friday = at("2026-11-20")
    result = scaled(friday, ("cron(0 6 ? * MON-FRI *)", "UTC", 5), ("cron(0 20 * * ? *)", "UTC", 1), seconds=4 * DAY)
    minimums = [event.second // DAY for event in result.events if "5 to" in event.detail]
    assert minimums == [0, 3]


def test_what_happens_at_the_beginning_holds_at_once() -> None:
    assert scaled(at("2026-11-20T06:00"), ("cron(0 6 * * ? *)", "UTC", 5)).minutes.desired[0] == 5


def test_a_load_without_a_date_follows_daily_schedules_only() -> None:
    assert scaled(None, ("cron(0 6 * * ? *)", "UTC", 5)).minutes.desired[359] == 5
    with pytest.raises(SimulationError, match="happens on some days only, and the load dated has no date"):
        scaled(None, ("cron(0 6 ? * MON-FRI *)", "UTC", 5))
