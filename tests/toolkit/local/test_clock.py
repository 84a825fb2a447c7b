"""Compressed time, and time that passes by hand."""

import pytest

from fargate_workers_toolkit.local.emulator.clock import Clock


def clock(*, begun: list[float], seconds_per_minute: float | None = 2) -> Clock:
    """A clock whose minutes began at these moments."""
    made = Clock(started=begun[0], seconds_per_minute=seconds_per_minute)
    for moment in begun[1:]:
        made.begin_minute(moment)
    return made


def test_five_minutes_take_ten_seconds_at_two_seconds_a_minute() -> None:
    assert clock(begun=[1000]).wait(300) == 10


def test_what_takes_a_second_takes_half_a_minute_at_two_seconds_a_minute() -> None:
    assert clock(begun=[1000]).stretched(1) == 30


def test_by_hand_what_waits_and_what_works_takes_its_own_time() -> None:
    by_hand = clock(begun=[1000], seconds_per_minute=None)
    assert (by_hand.wait(300), by_hand.stretched(7)) == (300, 7)


def test_a_moment_lies_in_the_minute_that_began_before_it() -> None:
    late = clock(begun=[1000, 1002, 1009])
    assert [late.minute_of(moment) for moment in (990, 1000, 1001.9, 1002, 1008.9, 1009, 2000)] == [0, 0, 0, 1, 1, 2, 2]
    assert late.minute == 2


def test_the_wall_clock_of_aws_runs_on_within_a_minute_and_waits_for_a_late_end() -> None:
    late = clock(begun=[1000, 1002, 1009])
    assert [late.virtual(moment) - 1000 for moment in (1000, 1001, 1002, 1003, 1008, 1009)] == [0, 30, 60, 90, 120, 120]


def test_by_hand_the_wall_clock_of_aws_shows_whole_minutes() -> None:
    by_hand = clock(begun=[1000, 1500], seconds_per_minute=None)
    assert [by_hand.virtual(moment) - 1000 for moment in (1000, 1499, 1500, 9999)] == [0, 0, 60, 60]


def test_an_age_is_one_at_the_end_of_the_minute_that_runs() -> None:
    running = clock(begun=[1000, 1002, 1004])
    assert [running.age(moment) for moment in (1001, 1002, 1005)] == [150, 120, 30]


def test_a_clock_elsewhere_is_three_minutes_off_where_ours_is() -> None:
    # The minute that runs began in the 1000th since the epoch.
    ours = clock(begun=[*range(60_000, 60_020, 2), 60_030])
    assert ours.minute == 10
    assert [ours.minute_shown(60 * minute + 59) for minute in (997, 1000, 1001)] == [7, 10, 11]
    assert [ours.shown(minute) for minute in (7, 10)] == [997 * 60, 1000 * 60]


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_minute_of_no_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=f"seconds_per_minute is {seconds}; make it more than 0"):
        Clock(started=0, seconds_per_minute=seconds)
