"""The minutes of the embedded AWS, ended in one step or in two."""

import pytest

from fargate_workers_toolkit.local.emulator import minutes as subject
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.minutes import Minutes


class WallClock:
    """The wall clock, which moves only when it is moved or slept by."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    wall = WallClock(6000.0)
    monkeypatch.setattr(subject, "time", wall)
    return wall


def minutes_of(done: list[str], wall: WallClock, *, beginning: float = 0.0) -> Minutes:
    def begin() -> None:
        done.append("begin")
        wall.now += beginning

    clock = Clock(started=wall.now, seconds_per_minute=None)
    return Minutes(clock, at_end=[lambda: done.append("end")], at_begin=[begin])


def test_a_minute_ends_before_the_next_begins(wall: WallClock) -> None:
    done: list[str] = []
    assert minutes_of(done, wall).end() == 1
    assert done == ["end", "begin"]


def test_between_the_end_and_the_next_beginning_others_may_act(wall: WallClock) -> None:
    done: list[str] = []
    minutes = minutes_of(done, wall)
    minutes.finish()
    done.append("between")
    assert minutes.begin() == 1
    assert done == ["end", "between", "begin"]


def test_no_minute_begins_where_its_functions_would_read_the_next_minute_of_the_wall_clock(wall: WallClock) -> None:
    minutes = minutes_of([], wall, beginning=4.0)
    minutes.end()
    wall.now = 6000.0 + 60 - 11  # a beginning takes 4 s, and three times that is kept free
    minutes.end()
    assert wall.now == 6060.0 + 4
    wall.now = 6060.0 + 60 - 13
    minutes.end()
    assert wall.now == 6060.0 + 60 - 13 + 4


def test_what_fails_at_a_beginning_keeps_no_minute_from_beginning(wall: WallClock) -> None:
    def fail() -> None:
        raise OSError("no functions today")

    clock = Clock(started=wall.now, seconds_per_minute=None)
    minutes = Minutes(clock, at_end=[], at_begin=[fail])
    assert [minutes.end(), minutes.end()] == [1, 2]
