"""Compressed time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_toolkit.local.clock import Clock

CLOCK = Clock(started=1000, seconds_per_minute=2)


def test_five_minutes_take_ten_seconds_at_two_seconds_a_minute() -> None:
    assert CLOCK.wait(300) == 10


def test_minutes_are_counted_from_the_start() -> None:
    assert [CLOCK.minute(moment) for moment in (1000, 1001.9, 1002, 1121)] == [0, 0, 1, 60]
    assert CLOCK.moment(60) == 1120


def test_an_hour_on_the_wall_clock_passes_in_two_minutes() -> None:
    assert CLOCK.virtual(1120) == 1000 + 3600
    assert CLOCK.real(1000 + 3600) == 1120


@given(st.floats(1000, 1e9))
def test_the_two_clocks_agree_with_each_other(moment: float) -> None:
    assert CLOCK.real(CLOCK.virtual(moment)) == pytest.approx(moment)


def test_a_minute_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="seconds_per_minute is 0; make it more than 0"):
        Clock(started=0, seconds_per_minute=0)
