"""A long load passes through memory in chunks, and nothing but memory shows it."""

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.engines.fluid import long_work_queue, queue, run
from fargate_workers_toolkit.simulation.engines.fluid.passing import Passing
from fargate_workers_toolkit.simulation.loads.built_in import steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, Task
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.services import article, fixed

HOUR = 3600
SECONDS = 8 * HOUR
CHUNK = HOUR


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (run, queue, long_work_queue):
        monkeypatch.setattr(module, "CHUNK", CHUNK)


def trouble(*, work: float, outage: bool = False, poison: bool = False, varies: bool = False) -> Load:
    """A burst that leaves a backlog for more than a chunk, and troubles across the border of two."""
    arrivals = np.random.default_rng(1).poisson(4 / work, SECONDS)
    arrivals[CHUNK - 600 : CHUNK] *= 12
    flags, bad = np.zeros(SECONDS, dtype=np.bool_), np.zeros(SECONDS, dtype=np.int64)
    flags[2 * CHUNK - 300 : 2 * CHUNK + 900] = True
    bad[3 * CHUNK - 60 : 3 * CHUNK + 60] = 1
    return Load(
        name="trouble",
        arrivals=arrivals,
        work_seconds=np.repeat(np.array([work, 2 * work, work, work]), 2 * HOUR) if varies else work,
        outage=flags if outage else None,
        poison=bad if poison else None,
    )


def told(service: ScaledService, load: Load) -> dict[str, Any]:
    result: Result = simulate(service, load, slo=120, assumptions=Assumptions(service_times="fixed"))
    return asdict(result)


CASES = {
    "short work": (article(), trouble(work=0.5)),
    "work that varies": (article(), trouble(work=0.5, varies=True)),
    "long work": (article(), trouble(work=7.5)),
    "failures": (
        article(queue=Queue(visibility_timeout=60, max_receive_count=4)),
        trouble(work=0.5, outage=True, poison=True),
    ),
    "patience": (
        article(task=Task(backs_off=True, max_attempts=10)),
        trouble(work=0.5, outage=True, poison=True),
    ),
    "retention": (fixed(4, queue=Queue(retention=1800)), trouble(work=0.5)),
    "a backlog that stays": (fixed(3), trouble(work=0.5)),
}


@pytest.mark.parametrize("name", CASES)
def test_results_in_chunks_are_those_of_the_whole(name: str, request: pytest.FixtureRequest) -> None:
    whole = told(*CASES[name])
    request.getfixturevalue("small")
    parts = told(*CASES[name])
    minutes = parts.pop("minutes"), whole.pop("minutes")
    for series in ("desired", "running", "visible", "in_flight", "retried_age"):
        assert minutes[0][series] == minutes[1][series]
    # What expires later was the oldest at the end of a chunk still.
    if name != "retention":
        assert minutes[0]["oldest_age"] == minutes[1]["oldest_age"]
    for key in ("done", "missed", "p50", "p99", "dead_lettered", "expired", "left", "task_hours"):
        assert parts[key] == pytest.approx(whole[key], rel=1e-9, abs=1e-6), key


@pytest.mark.usefixtures("small")
def test_what_is_killed_at_the_border_of_two_chunks_is_taken_out_once() -> None:
    """Spot takes tasks back all the time, and work outlasts their stop timeout."""
    service = fixed(20, task=Task(spot_from=0, stop_timeout=2), queue=Queue(visibility_timeout=60))
    load = steady(0.5, work_seconds=30, seconds=SECONDS)
    result = simulate(service, load, slo=300, assumptions=Assumptions(spot_interruptions=2.0))
    assert result.killed > 20
    assert result.residual == pytest.approx(0, abs=0.002)


@pytest.mark.usefixtures("small")
def test_all_but_the_last_hours_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[tuple[int, int]] = []
    monkeypatch.setattr(Passing, "forget", lambda _, begin, end: forgotten.append((begin, end)))  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    simulate(article(), steady(5, seconds=SECONDS), slo=300)
    # Three curves and the slots, after each chunk but the last.
    assert len(forgotten) == 4 * (SECONDS // CHUNK - 1)
    borders = sorted(set(forgotten))
    assert borders[0][0] == 0
    assert all(end == begin for (_, end), (begin, _) in pairwise(borders))
    assert borders[-1][1] > SECONDS - CHUNK - 60


def test_what_is_forgotten_leaves_the_rest_as_it_is() -> None:
    passing = Passing(2, 40_000)
    passing.values += 1
    passing.forget(1_000, 30_000)
    assert passing.values[:, :1_000].all()
    assert passing.values[:, 30_000:].all()


def test_a_year_of_counts_is_no_larger_than_it_must_be() -> None:
    assert steady(20, seconds=1000).arrivals.itemsize == 2
    assert steady(40_000, seconds=1000).arrivals.itemsize == 4
    assert steady(40_000, seconds=1000).arrivals.mean() == pytest.approx(40_000, rel=0.01)
