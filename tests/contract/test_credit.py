"""What a queue worker reckons its tasks may hold, and what the runtime's credit lets them hold."""

import math

import pytest

from fargate_workers.sources.sqs.checks import most_held
from fargate_workers_runtime.pipeline.receiving.credit import MOST_IN_HAND, ask_for


def held_by(concurrency: int, per_second: float) -> int:
    """What one process holds when every poll is answered in full and no handler ends."""
    held = 0
    while more := ask_for(
        held, concurrency=concurrency, mean_seconds=0.001, largest_batch=10, per_second=per_second, lease=43_200
    ):
        held += more
    return held


@pytest.mark.parametrize(("concurrency", "processes"), [(1, 1), (3, 1), (10, 1), (10, 4), (64, 16), (1_000, 1)])
@pytest.mark.parametrize("per_second", [0.1, 50, 1_000_000])
def test_no_task_holds_more_than_the_construct_reckons(concurrency: int, processes: int, per_second: float) -> None:
    held = processes * held_by(math.ceil(concurrency / processes), per_second)

    assert held <= most_held(concurrency=concurrency, processes=processes)


def test_both_sides_know_how_many_messages_of_a_fifo_queue_wait_in_hand() -> None:
    assert most_held(concurrency=10, processes=1, fifo=True) - most_held(concurrency=10, processes=1) == (
        10 * MOST_IN_HAND
    )
