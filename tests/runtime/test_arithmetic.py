"""Credit, back-off and batches: the pure parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_runtime.brokers.sqs.batches import batches
from fargate_workers_runtime.pipeline.backoff import (
    CAP,
    LOOK_CAP,
    equal_jitter,
    full_jitter,
    until_next_look,
    while_held,
)
from fargate_workers_runtime.pipeline.receiving.credit import ask_for, polls
from fargate_workers_runtime.settings import Settings


def test_a_worker_whose_speed_is_unknown_asks_for_what_it_can_start() -> None:
    assert ask_for(0, concurrency=4, mean_seconds=None, largest_batch=10) == 4
    assert ask_for(3, concurrency=4, mean_seconds=None, largest_batch=10) == 1
    assert ask_for(4, concurrency=4, mean_seconds=None, largest_batch=10) == 0


def test_a_worker_of_long_handlers_asks_for_what_it_can_start_at_most_ten() -> None:
    assert ask_for(0, concurrency=50, mean_seconds=3, largest_batch=10) == 10
    assert ask_for(48, concurrency=50, mean_seconds=3, largest_batch=10) == 2


def test_a_worker_of_short_handlers_asks_for_full_batches_only() -> None:
    assert ask_for(10, concurrency=10, mean_seconds=0.01, largest_batch=10) == 10
    assert ask_for(11, concurrency=10, mean_seconds=0.01, largest_batch=10) == 0


def test_a_fast_worker_fetches_a_seconds_work_ahead_at_most_three_rounds_of_its_threads() -> None:
    assert ask_for(20, concurrency=20, mean_seconds=0.01, largest_batch=10, per_second=25) == 10
    assert ask_for(36, concurrency=20, mean_seconds=0.01, largest_batch=10, per_second=25) == 0
    assert ask_for(70, concurrency=20, mean_seconds=0.01, largest_batch=10, per_second=2000) == 10
    assert ask_for(71, concurrency=20, mean_seconds=0.01, largest_batch=10, per_second=2000) == 0


def test_where_calls_are_free_a_quarter_of_a_seconds_work_is_fetched_ahead_in_batches_of_any_size() -> None:
    def asked(held: int, per_second: float, *, lease: int = 120) -> int:
        return ask_for(
            held,
            concurrency=10,
            mean_seconds=0.01,
            largest_batch=50,
            per_second=per_second,
            lease=lease,
            free=True,
        )

    assert asked(0, 0) == 10
    assert asked(0, 40) == 20
    assert asked(10, 40) == 10
    assert asked(11, 40) == 0  # half of what may be held is not worth a call
    assert asked(0, 5_000) == 50
    assert asked(60, 5_000) == 50
    assert asked(61, 5_000) == 0
    assert asked(0, 30, lease=1) == 18


def test_what_is_fetched_ahead_drains_in_a_third_of_the_lease() -> None:
    assert ask_for(10, concurrency=10, mean_seconds=0.01, largest_batch=10, per_second=28, lease=2) == 10
    assert ask_for(19, concurrency=10, mean_seconds=0.01, largest_batch=10, per_second=28, lease=2) == 0


@given(st.integers(0, 500), st.integers(1, 100), st.none() | st.floats(0, 100), st.floats(0, 10_000))
def test_a_worker_never_holds_more_than_four_rounds_of_its_threads_or_one_batch_ahead(
    held: int, concurrency: int, mean: float | None, per_second: float
) -> None:
    asked = ask_for(held, concurrency=concurrency, mean_seconds=mean, largest_batch=10, per_second=per_second)
    assert 0 <= asked <= 10
    assert asked == 0 or held + asked <= max(4 * concurrency, concurrency + 10)


@given(st.integers(0, 500), st.integers(1, 100), st.floats(0, 10_000))
def test_where_calls_are_free_an_idle_worker_asks_and_no_worker_for_more_than_it_soon_begins(
    held: int, concurrency: int, per_second: float
) -> None:
    asked = ask_for(held, concurrency=concurrency, mean_seconds=0.1, largest_batch=50, per_second=per_second, free=True)
    assert 0 <= asked <= 50
    assert asked > 0 or held > 0
    assert asked == 0 or held + asked <= concurrency + min(100, per_second / 4 + 1)


def test_polls_join_while_batches_are_full_and_leave_when_they_are_not() -> None:
    assert polls(1, asked=10, received=10, most=8, starving=True, largest_batch=10) == 2
    assert polls(8, asked=10, received=10, most=8, starving=True, largest_batch=10) == 8
    assert polls(3, asked=10, received=10, most=8, starving=False, largest_batch=10) == 3
    assert polls(3, asked=10, received=5, most=8, starving=True, largest_batch=10) == 3
    assert polls(3, asked=10, received=4, most=8, starving=True, largest_batch=10) == 2
    assert polls(1, asked=10, received=1, most=8, starving=True, largest_batch=10) == 1
    assert polls(8, asked=10, received=0, most=8, starving=True, largest_batch=10) == 1
    assert polls(2, asked=3, received=3, most=8, starving=True, largest_batch=10) == 1


@given(st.integers(1, 10_000))
def test_backoff_stays_between_zero_and_its_cap(attempt: int) -> None:
    assert 0 <= full_jitter(attempt) <= min(CAP, 2.0 * 2 ** min(attempt - 1, 32))


def test_backoff_starts_at_two_seconds_and_ends_at_fifteen_minutes() -> None:
    assert max(full_jitter(1) for _ in range(200)) <= 2
    assert 450 < max(full_jitter(30) for _ in range(200)) <= 900


@given(st.integers(1, 10_000))
def test_the_back_off_of_messages_is_half_certain(failures: int) -> None:
    longest = min(CAP, 2.0 * 2 ** min(failures - 1, 32))
    assert longest / 2 <= equal_jitter(failures) <= longest


def test_ten_attempts_outlast_an_outage_of_eight_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    for draw, patience in ((min, 511), (max, 1022)):
        monkeypatch.setattr("random.uniform", lambda least, most, draw=draw: draw(least, most))
        assert sum(equal_jitter(failures) for failures in range(1, Settings.max_attempts)) == patience


def held_waits(deliveries: int, *, longest_run: float = 1020) -> list[float]:
    """What a duplicate waits, delivery by delivery, beside a job whose lease has two minutes left each time."""
    return [
        while_held(
            120,
            receive_count=count,
            deliveries_left=deliveries - count,
            longest_run=longest_run,
            mean_seconds=0.5,
        )
        for count in range(1, deliveries + 1)
    ]


def test_a_held_key_is_waited_for_briefly_first_and_then_for_its_lease_and_longer() -> None:
    assert held_waits(100)[:5] == [3, 120, 240, 480, 960]
    assert while_held(1, receive_count=1, deliveries_left=99, longest_run=1, mean_seconds=None) == 1


@given(st.integers(1, 1000), st.floats(1, 12 * 3600))
def test_a_duplicate_outlasts_the_longest_handler_whatever_the_queue_allows(deliveries: int, longest: float) -> None:
    assert sum(held_waits(deliveries, longest_run=longest)) >= longest


def test_a_message_in_hand_looks_at_a_held_key_soon_and_then_at_a_steady_pace() -> None:
    waits = [until_next_look(120, looks=looks, mean_seconds=0.5) for looks in range(1, 8)]
    assert waits == [3, 6, 12, LOOK_CAP, LOOK_CAP, LOOK_CAP, LOOK_CAP]
    assert until_next_look(120, looks=10_000, mean_seconds=None) == LOOK_CAP
    assert until_next_look(5, looks=10_000, mean_seconds=600) == 5


@given(st.lists(st.integers(0, 40)))
def test_batches_keep_order_and_both_limits(sizes: list[int]) -> None:
    grouped = list(batches(sizes, size_of=lambda size: size, max_items=3, max_bytes=30))
    assert [size for batch in grouped for size in batch] == sizes
    assert all(len(batch) <= 3 and (sum(batch) <= 30 or len(batch) == 1) for batch in grouped)
