"""Small chaos runs on Kafka, and the judge; `python -m tests.chaos.kafka` has the large ones.

They run side by side, because most of each is waiting: for sessions to end, and for members to join.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.chaos.history import Event
from tests.chaos.kafka.run import Result, Scene, run
from tests.chaos.kafka.verdict import Seen, Sent, judge

_SEED = int(os.environ.get("CHAOS_SEED") or 7)
_ALWAYS = ("poison", "flaky", "twice")

SCENES = {
    "killed, frozen and cut off": Scene(
        messages=150,
        faults=("kill", "freeze", "cut", *_ALWAYS),
        session=1,
        freeze=2.5,
        processes=2,
        seed=_SEED,
        limit=900,
    ),
    "killed amid rebalances, KIP-848": Scene(
        messages=150,
        server="mock",
        faults=("kill", "sigterm", "storm", *_ALWAYS),
        session=6,
        processes=2,
        seed=_SEED,
        limit=900,
    ),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Result]]]:
    with ThreadPoolExecutor(len(SCENES)) as threads:
        yield {
            name: threads.submit(run, scene, folder=tmp_path_factory.mktemp("kafka")) for name, scene in SCENES.items()
        }


@pytest.mark.parametrize("name", SCENES)
def test_whatever_happens_every_promise_is_kept(runs: dict[str, Future[Result]], name: str) -> None:
    result = runs[name].result()
    print(f"CHAOS_SEED={_SEED}", result.facts)
    assert result.verdict.findings == []
    assert result.facts["poison"] > 0
    assert result.facts["failed attempts"] > 0


def test_the_runs_were_not_spared(runs: dict[str, Future[Result]]) -> None:
    """A run that hurts nobody would pass as well."""
    facts = {name: future.result().facts for name, future in runs.items()}
    assert facts["killed, frozen and cut off"]["attacks"] == {"cut": 1, "freeze": 1, "kill": 1}
    amid = facts["killed amid rebalances, KIP-848"]
    assert amid["attacks"] == {"kill": 1, "sigterm": 1, "storm": 1}
    assert amid["of them asked to stop"] >= 4


# The judge


def effect(message: str) -> Event:
    return Event(at=0.0, what="effect", process=1, key="", message=message)


SENT = {"t/0/0": Sent(key="a", place=0), "t/0/1": Sent(key="a", place=1), "t/0/2": Sent(key="b", place=2, poison="bad")}
GOOD = Seen(
    sent=SENT,
    events=[effect("t/0/0"), effect("t/0/1")],
    letters=[("t/0/2", "bad: really")],
    committed=[3],
    ends=[3],
    exits={1: 0},
)


def test_a_good_run_is_good() -> None:
    assert judge(GOOD).good


@pytest.mark.parametrize(
    ("changed", "faults"),
    [
        ({"events": [effect("t/0/0")]}, ["lost"]),
        ({"events": [effect("t/0/1"), effect("t/0/0")]}, ["out of order"]),
        ({"events": [effect("t/0/0"), effect("t/0/1"), effect("t/0/0")]}, []),  # at least once
        ({"letters": []}, ["poison not dead-lettered"]),
        ({"letters": [("t/0/2", "bad"), ("t/0/0", "failed 3 times")]}, ["healthy dead-lettered"]),
        ({"letters": [("t/0/2", "another")]}, ["reason untrue"]),
        ({"letters": [("t/0/2", "bad"), ("t/0/2", "bad")]}, []),
        ({"committed": [2]}, ["not committed"]),
        ({"committed": [-1001], "ends": [0]}, []),
        ({"exits": {1: None}}, ["wrong exit"]),
    ],
)
def test_what_must_not_happen_is_found(changed: dict[str, object], faults: list[str]) -> None:
    from dataclasses import replace

    assert [fault for fault, _ in judge(replace(GOOD, **changed)).findings] == faults
