"""The pipeline with a broker that counts attempts in all processes, and with one that settles without requests."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage
from fargate_workers_runtime.brokers.broker import AttemptCounter, Capabilities, Delivery, Failure
from fargate_workers_runtime.entry_points.worker import run_once
from fargate_workers_runtime.pipeline.attempting.isolation import unanswered
from fargate_workers_runtime.pipeline.leases import Leases
from fargate_workers_runtime.pipeline.settling.outcome import Letter
from fargate_workers_runtime.pipeline.settling.settler import Settler
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import Clock, MemoryQueue

SETTINGS = Settings(worker_name="test", receive_wait=0, health_file=None, concurrency=1, max_attempts=4)


class Counting(MemoryQueue):
    """A queue whose messages have been attempted before."""

    def __init__(self, bodies: Sequence[Any], *, begun: int = 0, failed: int = 0, ours: bool = True) -> None:
        self.clock = Clock()
        super().__init__(bodies, fifo=True, clock=self.clock)
        self.counts = {"begun": begun, "failed": failed}
        self.ours = ours

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, counts_deliveries=False)

    def receive(self, limit: int, *, wait: float, lease: int) -> list[Delivery]:
        return [
            replace(each, receive_count=1, **self.counts) for each in super().receive(limit, wait=wait, lease=lease)
        ]

    def attempt_begins(self, delivery: Delivery) -> bool:
        self.counts["begun"] += self.ours
        return self.ours

    def attempt_failed(self, delivery: Delivery) -> None:
        self.counts["failed"] += 1


def drain(queue: Counting, handle: Callable[[Message], None]) -> None:
    while queue.seconds_to_next is not None:
        queue.clock.advance(queue.seconds_to_next)
        assert run_once(handle, queue=queue, settings=SETTINGS) == 0


def fail(_message: Message) -> None:
    raise TimeoutError


def test_a_queue_that_counts_is_a_counter_and_another_is_not() -> None:
    assert isinstance(Counting([]), AttemptCounter)
    assert not isinstance(MemoryQueue(), AttemptCounter)


def test_failures_in_other_processes_count_towards_the_last_attempt() -> None:
    queue = Counting([{}], begun=2, failed=2)
    attempts: list[int] = []

    def handle(message: Message) -> None:
        attempts.append(message.attempt)
        fail(message)

    drain(queue, handle)
    assert attempts == [3, 4]
    assert [letter.reason for letter in queue.dead_letters] == ["failed 4 times"]
    assert queue.counts == {"begun": 4, "failed": 4}


def test_failures_of_this_process_that_the_broker_counted_count_once() -> None:
    queue = Counting([{}])
    attempts: list[int] = []

    def handle(message: Message) -> None:
        attempts.append(message.attempt)
        if len(attempts) < 3:
            fail(message)

    drain(queue, handle)
    assert attempts == [1, 2, 3]
    assert queue.counts == {"begun": 3, "failed": 2}


@pytest.mark.parametrize(("begun", "given_up"), [(6, False), (7, True)])
def test_a_message_whose_attempts_never_end_is_given_up(begun: int, given_up: bool) -> None:
    queue = Counting([{}], begun=begun)
    handled: list[Message] = []
    drain(queue, handled.append)
    assert [letter.reason for letter in queue.dead_letters] == ["kills its process"] * given_up
    assert len(handled) == (not given_up)


def test_a_message_that_is_another_readers_does_not_begin() -> None:
    queue = Counting([{}], ours=False)
    handled: list[Message] = []
    worker = threading.Thread(target=run_once, args=(handled.append,), kwargs={"queue": queue, "settings": SETTINGS})
    worker.start()
    worker.join(30)
    assert handled == []
    assert queue.hidden == 1  # neither acknowledged nor released


def test_what_is_refused_before_its_attempt_has_none() -> None:
    queue = Counting(["{"])
    drain(queue, lambda _message: None)
    assert queue.counts == {"begun": 0, "failed": 0}
    assert len(queue.dead_letters) == 1


def test_poison_has_begun_and_not_failed() -> None:
    queue = Counting([{}])

    def handle(_message: Message) -> None:
        raise PoisonMessage("bad")

    drain(queue, handle)
    assert queue.counts == {"begun": 1, "failed": 0}


def test_counted_deaths_are_those_that_neither_time_nor_deliveries_show() -> None:
    delivery = Delivery(id="1", text="", token="", receive_count=5, since_first=0.0, begun=5, failed=3)
    assert unanswered(delivery, released=0, lease=120) == 2
    assert unanswered(replace(delivery, failed=5), released=0, lease=120) == 0
    assert unanswered(replace(delivery, begun=0, failed=0), released=0, lease=120) == 0


class Local(MemoryQueue):
    """A queue whose endings make no request."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.threads: list[str] = []
        self.broken = 0

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, settles_locally=True)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        self.threads.append(threading.current_thread().name)
        if self.broken:
            self.broken -= 1
            raise ConnectionError
        return super().acknowledge(deliveries)


def test_an_ending_without_a_request_waits_for_no_others() -> None:
    clock = Clock()
    queue = Local(["a", "b", "c"], clock=clock)
    leases = Leases(queue, None, seconds=120, on_overdue=lambda _lease: None, clock=clock)
    settler = Settler(queue, leases, linger=3600, clock=clock)  # not started: no thread of its own is needed
    first, second, third = leases.hold(queue.receive(3, wait=0, lease=120))
    settler.acknowledge(first)
    settler.release(second, 60)
    assert queue.threads == [threading.current_thread().name]
    assert [seconds for _, seconds in queue.released] == [60]
    settler.dead_letter(third, Letter(reason="bad"))
    settler.start()
    settler.close()
    assert (len(queue.dead_letters), queue.hidden) == (1, 1)


def test_an_ending_that_raises_is_tried_again() -> None:
    clock = Clock()
    queue = Local(["a"], clock=clock)
    queue.broken = 1
    leases = Leases(queue, None, seconds=120, on_overdue=lambda _lease: None, clock=clock)
    settler = Settler(queue, leases, clock=clock)
    settler.start()
    (lease,) = leases.hold(queue.receive(1, wait=0, lease=120))
    settler.acknowledge(lease)
    settler.close()
    assert queue.empty
    assert len(queue.threads) == 2
