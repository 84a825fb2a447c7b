"""What a queue worker reckons its tasks may hold, and what the runtime's credit lets them hold."""

import math

import pytest

from fargate_workers._queue_worker_checks import most_held
from fargate_workers_runtime.credit import ask_for


def held_by(concurrency: int, per_second: float) -> int:
    """What one process holds when every poll is answered in full and no handler ends."""
    held = 0
    while more := ask_for(held, concurrency=concurrency, mean_seconds=0.001, per_second=per_second, visibility=43_200):
        held += more
    return held


@pytest.mark.parametrize(("concurrency", "processes"), [(1, 1), (3, 1), (10, 1), (10, 4), (64, 16), (1_000, 1)])
@pytest.mark.parametrize("per_second", [0.1, 50, 1_000_000])
def test_no_task_holds_more_than_the_construct_reckons(concurrency: int, processes: int, per_second: float) -> None:
    held = processes * held_by(math.ceil(concurrency / processes), per_second)

    assert held <= most_held(concurrency=concurrency, processes=processes)
