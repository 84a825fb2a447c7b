"""Small chaos runs of a function, and the judge; `python -m tests.chaos.function` has the large ones.

They run side by side, because most of each is waiting: for the messages of invocations that were ended.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.function.run import Result, Scene, run
from tests.chaos.function.verdict import Seen, judge
from tests.chaos.history import Event
from tests.chaos.orders import Order

_SEED = int(os.environ.get("CHAOS_SEED") or 7)

SCENES = {
    "standard": Scene(messages=200, pollers=3, seed=_SEED, limit=200),
    "FIFO": Scene(messages=200, fifo=True, pollers=3, seed=_SEED, limit=200),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Result]]]:
    with ThreadPoolExecutor(len(SCENES)) as threads:
        yield {
            name: threads.submit(run, scene, folder=tmp_path_factory.mktemp("function"))
            for name, scene in SCENES.items()
        }


@pytest.mark.parametrize("name", SCENES)
def test_whatever_happens_every_promise_is_kept(runs: dict[str, Future[Result]], name: str) -> None:
    result = runs[name].result()
    print(f"CHAOS_SEED={_SEED}", result.facts)
    assert result.verdict.findings == []
    assert result.facts["poison"] == result.facts["dead letters"] >= 3
    assert result.facts["failed attempts"] > 0


@pytest.mark.parametrize("name", SCENES)
def test_the_runs_were_not_spared(runs: dict[str, Future[Result]], name: str) -> None:
    """A run that hurts nobody would pass as well."""
    facts = runs[name].result().facts
    assert facts["of them killed"] + facts["of them timed out"] >= 1
    assert facts["outages of the claims"] == 1
    assert facts["of them ended"] >= 1


# The judge


def event(what: Any, key: str, *, at: float, process: int = 1) -> Event:
    return Event(at=at, what=what, process=process, key=key, message=f"m-{key}")


ORDERS = {
    "a": Order(key="a", does="plain", group="g"),
    "b": Order(key="b", does="plain", group="g"),
    "bad": Order(key="bad", does="refuse", group="g"),
}
EFFECTS = [event("effect", "a", at=1), event("effect", "b", at=2)]
GOOD = Seen(
    orders=ORDERS, messages={"m-a": "a", "m-bad": "bad", "m-b": "b"}, events=EFFECTS, letters=[("m-bad", "refused: x")]
)
AGAIN = event("effect", "a", at=30, process=2)


def test_a_good_run_is_good() -> None:
    assert judge(GOOD).good


@pytest.mark.parametrize(
    ("changed", "faults"),
    [
        ({"events": EFFECTS[:1]}, ["lost"]),
        ({"events": [*EFFECTS, event("effect", "bad", at=1.5)]}, ["unwanted"]),
        ({"letters": []}, ["poison not dead-lettered"]),
        ({"letters": [*GOOD.letters, ("m-a", "failed 8 times")]}, ["healthy dead-lettered"]),
        ({"letters": [("m-bad", "failed 8 times")]}, ["reason untrue"]),
        ({"letters": [*GOOD.letters, *GOOD.letters]}, []),
        ({"events": [*EFFECTS, AGAIN]}, ["repeated"]),
        ({"events": [*EFFECTS, AGAIN, event("killed", "", at=5)]}, []),
        ({"events": [*EFFECTS, AGAIN, event("killed", "", at=20)]}, ["repeated"]),
        ({"events": [*EFFECTS, AGAIN], "outages": [(0.5, 3)]}, []),
        ({"events": [*EFFECTS, AGAIN], "noticed": {(1, "m-a")}}, []),
        ({"events": [event("effect", "a", at=3), event("effect", "b", at=2)]}, ["out of order"]),
        ({"left": 2}, ["left"]),
    ],
)
def test_what_must_not_happen_is_found(changed: dict[str, Any], faults: list[str]) -> None:
    assert [fault for fault, _ in judge(replace(GOOD, **changed)).findings] == faults
