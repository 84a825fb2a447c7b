"""Credit, back-off and batches: the pure parts."""

from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_runtime.backoff import CAP, full_jitter, while_held
from fargate_workers_runtime.batches import batches
from fargate_workers_runtime.credit import ask_for, polls


def test_a_worker_whose_speed_is_unknown_asks_for_what_it_can_start() -> None:
    assert ask_for(0, concurrency=4, mean_seconds=None) == 4
    assert ask_for(3, concurrency=4, mean_seconds=None) == 1
    assert ask_for(4, concurrency=4, mean_seconds=None) == 0


def test_a_worker_of_long_handlers_asks_for_what_it_can_start_at_most_ten() -> None:
    assert ask_for(0, concurrency=50, mean_seconds=3) == 10
    assert ask_for(48, concurrency=50, mean_seconds=3) == 2


def test_a_worker_of_short_handlers_asks_for_full_batches_only() -> None:
    assert ask_for(10, concurrency=10, mean_seconds=0.01) == 10
    assert ask_for(11, concurrency=10, mean_seconds=0.01) == 0


def test_a_fast_worker_fetches_a_seconds_work_ahead_at_most_three_rounds_of_its_threads() -> None:
    assert ask_for(20, concurrency=20, mean_seconds=0.01, per_second=25) == 10
    assert ask_for(36, concurrency=20, mean_seconds=0.01, per_second=25) == 0
    assert ask_for(70, concurrency=20, mean_seconds=0.01, per_second=2000) == 10
    assert ask_for(71, concurrency=20, mean_seconds=0.01, per_second=2000) == 0


def test_what_is_fetched_ahead_drains_in_a_third_of_the_visibility_timeout() -> None:
    assert ask_for(10, concurrency=10, mean_seconds=0.01, per_second=28, visibility=2) == 10
    assert ask_for(19, concurrency=10, mean_seconds=0.01, per_second=28, visibility=2) == 0


@given(st.integers(0, 500), st.integers(1, 100), st.none() | st.floats(0, 100), st.floats(0, 10_000))
def test_a_worker_never_holds_more_than_four_rounds_of_its_threads_or_one_batch_ahead(
    held: int, concurrency: int, mean: float | None, per_second: float
) -> None:
    asked = ask_for(held, concurrency=concurrency, mean_seconds=mean, per_second=per_second)
    assert 0 <= asked <= 10
    assert asked == 0 or held + asked <= max(4 * concurrency, concurrency + 10)


def test_polls_join_while_batches_are_full_and_leave_when_they_are_not() -> None:
    assert polls(1, asked=10, received=10, most=8, starving=True) == 2
    assert polls(8, asked=10, received=10, most=8, starving=True) == 8
    assert polls(3, asked=10, received=10, most=8, starving=False) == 3
    assert polls(3, asked=10, received=5, most=8, starving=True) == 3
    assert polls(3, asked=10, received=4, most=8, starving=True) == 2
    assert polls(1, asked=10, received=1, most=8, starving=True) == 1
    assert polls(8, asked=10, received=0, most=8, starving=True) == 1
    assert polls(2, asked=3, received=3, most=8, starving=True) == 1


@given(st.integers(1, 10_000))
def test_backoff_stays_between_zero_and_its_cap(attempt: int) -> None:
    assert 0 <= full_jitter(attempt) <= min(CAP, 2.0 * 2 ** min(attempt - 1, 32))


def test_backoff_starts_at_two_seconds_and_ends_at_fifteen_minutes() -> None:
    assert max(full_jitter(1) for _ in range(200)) <= 2
    assert 450 < max(full_jitter(30) for _ in range(200)) <= 900


def test_a_held_key_is_waited_for_briefly_first_and_then_for_its_lease_and_longer() -> None:
    waits = [while_held(120, receive_count=count, mean_seconds=0.5) for count in (1, 2, 3, 4, 5)]
    assert waits == [3, 120, 240, 480, 960]
    assert sum(waits) > 900  # the default of MAX_PROCESSING_SECONDS: five deliveries outlast the longest handler
    assert while_held(1, receive_count=1, mean_seconds=None) == 1


@given(st.lists(st.integers(0, 40)))
def test_batches_keep_order_and_both_limits(sizes: list[int]) -> None:
    grouped = list(batches(sizes, size_of=lambda size: size, max_items=3, max_bytes=30))
    assert [size for batch in grouped for size in batch] == sizes
    assert all(len(batch) <= 3 and (sum(batch) <= 30 or len(batch) == 1) for batch in grouped)
