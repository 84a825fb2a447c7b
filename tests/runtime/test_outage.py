"""An outage lasts until every store that failed does again what it failed to do."""

import threading
from collections.abc import Callable

import pytest

from fargate_workers_runtime.pipeline import outage as outages
from fargate_workers_runtime.pipeline.outage import Outage


class Store:
    """One that is down for so many checks; what is to happen during each is called there."""

    def __init__(self, *, down: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.down = down
        self.looks = 0
        self.meanwhile = meanwhile

    def check(self) -> None:
        self.looks += 1
        self.meanwhile()
        if self.looks <= self.down:
            raise ConnectionError


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By which number of tries each pause was reckoned."""
    tries: list[int] = []
    monkeypatch.setattr(outages, "full_jitter", lambda attempt, **_: tries.append(attempt) or 0)
    return tries


def test_it_lasts_until_the_store_is_back(pauses: list[int]) -> None:
    outage, store = Outage(), Store(down=3)
    outage.begin(store.check)
    assert outage.lasts
    outage.outlast(threading.Event())
    assert not outage.lasts
    assert (store.looks, pauses) == (4, [1, 2, 3, 4])


def test_of_two_stores_both_must_be_back(pauses: list[int]) -> None:
    outage, claims, limiter = Outage(), Store(down=5), Store(down=1)
    for failing in (claims, claims, limiter):  # the later does not stand for the earlier
        outage.begin(failing.check)
    outage.outlast(threading.Event())
    assert (claims.looks, limiter.looks) == (6, 2)


def test_a_failure_during_the_check_is_not_forgotten(pauses: list[int]) -> None:
    outage = Outage()
    store = Store(down=0)
    store.meanwhile = lambda: outage.begin(store.check) if store.looks == 1 else None
    outage.begin(store.check)
    outage.outlast(threading.Event())
    assert store.looks == 2


def test_a_store_that_is_back_for_moments_only_is_asked_ever_more_slowly(pauses: list[int]) -> None:
    now = 0.0
    outage, store = Outage(clock=lambda: now), Store(down=0)
    for _ in range(4):
        outage.begin(store.check)
        outage.outlast(threading.Event())
        now += 10
    now += 61
    outage.begin(store.check)
    outage.outlast(threading.Event())
    assert pauses == [1, 2, 3, 4, 1]


def test_a_stop_ends_the_waiting(pauses: list[int]) -> None:
    outage, store, stopping = Outage(), Store(down=10**6), threading.Event()
    outage.begin(store.check)
    stopping.set()
    outage.outlast(stopping)
    assert outage.lasts
    assert store.looks == 0
