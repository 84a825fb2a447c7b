"""What the queue in memory does beyond the contract it shares with SQS: time, counts, and what it costs."""

import threading
import time
from dataclasses import replace

import pytest

from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.brokers.sqs.batches import BATCH
from fargate_workers_runtime.brokers.sqs.sqs_broker import LONGEST_VISIBILITY
from fargate_workers_runtime.testing import Clock, MemoryQueue
from tests.patience import PATIENCE


@pytest.fixture
def clock() -> Clock:
    return Clock()


def take(queue: MemoryQueue, limit: int = BATCH, *, lease: int = 30) -> list[Delivery]:
    return queue.receive(limit, wait=0, lease=lease)


def test_a_message_is_back_when_its_lease_ends(clock: Clock) -> None:
    queue = MemoryQueue(["a"], clock=clock)
    (first,) = take(queue)
    clock.advance(29)
    assert (take(queue), queue.hidden, queue.seconds_to_next) == ([], 1, 1)
    clock.advance(1)
    assert queue.hidden == 0
    (second,) = take(queue)
    assert (second.id, second.receive_count) == (first.id, 2)


def test_an_old_token_neither_ends_nor_hides_a_message(clock: Clock) -> None:
    queue = MemoryQueue(["a"], clock=clock)
    (first,) = take(queue)
    clock.advance(30)
    (second,) = take(queue)
    assert queue.acknowledge([first]) == []
    assert not queue.empty
    assert [failure.code for failure in queue.release([(first, 0)])] == ["ReceiptHandleIsInvalid"]
    queue.acknowledge([second])
    assert queue.empty


def test_a_message_that_is_visible_again_cannot_be_hidden_by_its_last_receiver(clock: Clock) -> None:
    queue = MemoryQueue(["a"], clock=clock)
    (received,) = take(queue)
    clock.advance(30)
    (failure,) = queue.extend([received], 30)
    assert (failure.code, failure.permanent) == ("MessageNotInflight", True)


def test_a_message_is_hidden_for_at_most_twelve_hours_from_its_delivery(clock: Clock) -> None:
    queue = MemoryQueue(["a"], clock=clock)
    (received,) = take(queue)
    clock.advance(10)
    (failure,) = queue.extend([received], LONGEST_VISIBILITY)
    assert (failure.code, failure.permanent) == ("InvalidParameterValue", True)
    assert queue.extend([received], LONGEST_VISIBILITY - 10) == []


def test_what_was_released_and_for_how_long_is_kept(clock: Clock) -> None:
    queue = MemoryQueue(["a"], clock=clock)
    (received,) = take(queue)
    queue.release([(received, 60), (replace(received, token="unknown"), 60)])
    queue.release([(received, 0)])
    assert queue.released == [(received, 60), (received, 0)]


@pytest.mark.parametrize("fifo", [False, True])
def test_a_message_delivered_too_often_is_a_dead_letter_with_that_reason(clock: Clock, fifo: bool) -> None:
    queue = MemoryQueue(["a", "b"], fifo=fifo, max_receive_count=2, clock=clock)
    for _ in range(2):
        for received in take(queue):
            queue.release([(received, 0)])
    assert take(queue) == []
    assert queue.empty
    assert [(letter.delivery.text, letter.delivery.receive_count, letter.reason) for letter in queue.dead_letters] == [
        ("a", 2, "max receive count"),
        ("b", 2, "max receive count"),
    ]


def test_a_message_says_when_it_was_sent_and_carries_its_attributes(clock: Clock) -> None:
    queue = MemoryQueue(clock=clock)
    queue.send({"n": 1}, attributes={"trace": "x"})
    (received,) = take(queue)
    assert (received.text, received.sent_at) == ('{"n": 1}', clock())
    assert received.attributes == {"trace": "x"}


def test_a_delayed_message_waits_for_its_time(clock: Clock) -> None:
    queue = MemoryQueue(clock=clock)
    queue.send("later", delay=10)
    assert (take(queue), queue.hidden, queue.seconds_to_next) == ([], 0, 10)
    clock.advance(10)
    assert [received.text for received in take(queue)] == ["later"]


def test_a_fifo_queue_takes_a_repeated_message_for_the_first_for_five_minutes(clock: Clock) -> None:
    queue = MemoryQueue(fifo=True, clock=clock)
    first = queue.send("a", group_id="g", deduplication_id="1")
    queue.acknowledge(take(queue))
    clock.advance(299)
    assert queue.send("a", group_id="g", deduplication_id="1") == first
    assert queue.empty
    clock.advance(1)
    assert queue.send("a", group_id="g", deduplication_id="1") != first


def test_a_queue_refuses_what_its_kind_has_not() -> None:
    with pytest.raises(ValueError, match="A FIFO queue takes no delay for a single message"):
        MemoryQueue(fifo=True).send("a", group_id="g", delay=1)
    with pytest.raises(ValueError, match="A standard queue takes no deduplication_id"):
        MemoryQueue().send("a", deduplication_id="1")


def test_a_group_that_came_back_begins_again_with_its_oldest_message(clock: Clock) -> None:
    queue = MemoryQueue(fifo=True, clock=clock)
    for body in ("a1", "a2", "a3"):
        queue.send(body, group_id="a")
    first, second = take(queue, 2)
    queue.release([(second, 0)])
    assert take(queue) == []  # the first is still out
    queue.release([(first, 0)])
    assert [received.text for received in take(queue)] == ["a1", "a2", "a3"]


def test_a_poll_ends_when_a_message_is_sent_or_comes_back() -> None:
    queue, came = MemoryQueue(), list[tuple[str, int]]()

    def poll() -> None:
        (received,) = queue.receive(1, wait=3600, lease=30)
        queue.release([(received, 0)])
        (again,) = queue.receive(1, wait=3600, lease=30)
        queue.send("b", delay=0.02)
        (late,) = queue.receive(1, wait=3600, lease=30)
        came.extend((each.text, each.receive_count) for each in (again, late))

    polling = threading.Thread(target=poll, daemon=True)
    polling.start()
    threading.Timer(0.02, queue.send, ["a"]).start()
    polling.join(PATIENCE)
    assert came == [("a", 2), ("b", 1)]


@pytest.mark.parametrize("fifo", [False, True])
def test_a_backlog_of_ten_thousand_is_worked_off_at_a_constant_price_a_batch(fifo: bool) -> None:
    queue = MemoryQueue(fifo=fifo)
    for n in range(10_000):
        queue.send("{}", group_id=str(n % 50))
    started = time.thread_time()
    while batch := take(queue):
        queue.release([(received, 60) for received in batch])
        queue.acknowledge(batch)
    assert queue.empty
    assert queue.requests["acknowledge"] == 1_000
    assert time.thread_time() - started < 5  # 0.2 when a request costs what it carries, minutes when what is stored
