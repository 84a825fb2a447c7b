"""Which share of many tasks is protected, beside tasks that are followed handler by handler."""

import numpy as np
import pytest

from fargate_workers_toolkit.simulation.engines.fluid.scale_in_protection import ScaleInProtection, old_work
from fargate_workers_toolkit.simulation.engines.receiving import ask_for, fetched_ahead

DRAIN, STEP = 105.0, 1.0


@pytest.mark.parametrize(("work", "concurrency"), [(60.0, 1), (60.0, 10), (300.0, 1), (150.0, 3)])
def test_shares_are_those_of_tasks_whose_handlers_are_always_at_work(work: float, concurrency: int) -> None:
    random = np.random.default_rng(0)
    left = random.exponential(work, (20_000, concurrency))
    ages = np.zeros_like(left)
    for _ in range(600):
        done = left <= 0
        left[done], ages[done] = random.exponential(work, done.sum()), 0
        left -= STEP
        ages += STEP
    protected = (ages >= DRAIN).any(axis=1)
    still = protected.copy()
    for _ in range(60):
        done = left <= 0
        left[done], ages[done] = random.exponential(work, done.sum()), 0
        still &= (ages >= DRAIN).any(axis=1)
        left -= STEP
        ages += STEP
    old = old_work(then=1.0, done_since=0.0, drain=DRAIN, work=work, exponential=True)
    shares = ScaleInProtection(
        work=work,
        exponential=True,
        concurrency=concurrency,
        busy=1.0,
        old=old,
        ending=old / work,
        drain=DRAIN,
        stop_timeout=120,
    )
    assert shares.free_share == pytest.approx(1 - protected.mean(), abs=0.02)
    assert shares.freed_share(60) == pytest.approx(1 - still.sum() / protected.sum(), abs=0.05)


@pytest.mark.parametrize(("then", "done_since", "old"), [(8, 0, 8), (8, 5, 3), (8, 9, 0)])
def test_of_work_that_always_takes_the_same_time_what_began_first_ends_first(
    then: float, done_since: float, old: float
) -> None:
    assert old_work(then=then, done_since=done_since, drain=105, work=250, exponential=False) == old


@pytest.mark.parametrize(("concurrency", "per_second"), [(1, 2.0), (10, 20.0), (10, 100.0), (40, 60.0)])
def test_a_task_holds_what_its_requests_bring_ahead(concurrency: int, per_second: float) -> None:
    """Messages always wait, and one after the other is done."""
    held, seen = 0, []
    for _ in range(1000):
        while wanted := ask_for(
            held, concurrency=concurrency, prefetches=True, work_seconds=0.5, per_second=per_second, visibility=120
        ):
            held += wanted
        seen.append(held - concurrency)
        held -= 1
    ahead = fetched_ahead(concurrency=concurrency, work_seconds=0.5, per_second=per_second, visibility=120)
    assert ahead == pytest.approx(np.mean(seen[100:]), abs=1)
