"""Small chaos runs on a stream and a list; `python -m tests.chaos.redis_chaos` has the large ones."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.chaos.redis_chaos import Kind, Result, Scene, run

#: The same each time, so that a change that breaks a promise is told from a choice that was unlucky.
_SEED = int(os.environ.get("CHAOS_SEED") or 7)

KINDS: tuple[Kind, ...] = ("stream", "list")


def _scene(kind: Kind) -> Scene:
    return Scene(
        kind=kind,
        messages=200,
        attacks={"kill": 2, "stop": 1, "freeze": 1, "restart": 1, "cut": 1, "hang": 1, "forget scripts": 1},
        seed=_SEED,
        processes=2,
        concurrency=5,
        pace=0.1,
        visibility=4,
        freeze=5.0,
        limit=900,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, Future[Result]]]:
    with ThreadPoolExecutor(len(KINDS)) as threads:
        yield {
            kind: threads.submit(run, _scene(kind), folder=tmp_path_factory.mktemp(f"redis-{kind}")) for kind in KINDS
        }


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_only_poison_is_dead_and_nothing_stays_pending(
    runs: dict[Kind, Future[Result]], kind: Kind
) -> None:
    result = runs[kind].result()
    assert result.good, (result.faults, result.examples)


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_was_not_spared(runs: dict[Kind, Future[Result]], kind: Kind) -> None:
    facts = runs[kind].result().facts
    assert facts["killed from outside"] == 2
    assert facts["freezes"] >= 1
    assert facts["outages"] == 3
    assert facts["asked to stop"] >= 2
    assert facts["dead letters"] > 0
