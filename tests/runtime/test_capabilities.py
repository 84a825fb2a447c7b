"""The pipeline with a broker that is not like SQS: it does what the broker can, and no more."""

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_runtime.brokers.broker import Capabilities, Delivery, Failure
from fargate_workers_runtime.entry_points.worker import run, run_once
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.pipeline.in_hand import InHand
from fargate_workers_runtime.pipeline.inbox import Inbox, Work
from fargate_workers_runtime.pipeline.leases import Leases
from fargate_workers_runtime.pipeline.settling.outcome import Letter
from fargate_workers_runtime.pipeline.settling.settler import Settler
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import Clock, MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

SETTINGS = Settings(worker_name="test", queue_url="memory", receive_wait=0, health_file=None, concurrency=1)


class Other(MemoryQueue):
    """A broker in memory with other capabilities; it notes what each call carried."""

    def __init__(self, *arguments: Any, capable_of: dict[str, Any], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._other = replace(super().capabilities, **capable_of)
        self.carried: list[tuple[str, int]] = []

    @property
    def capabilities(self) -> Capabilities:
        return self._other

    def receive(self, limit: int, *, wait: float, lease: int) -> list[Delivery]:
        self.carried.append(("receive", limit))
        deliveries = super().receive(limit, wait=wait, lease=lease)
        return deliveries if self._other.counts_deliveries else [replace(each, receive_count=1) for each in deliveries]

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        self.carried.append(("extend", len(deliveries)))
        return super().extend(deliveries, seconds)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        self.carried.append(("acknowledge", len(deliveries)))
        return super().acknowledge(deliveries)

    def most(self, call: str) -> int:
        return max(number for name, number in self.carried if name == call)


def leases_of(broker: Other, clock: Clock) -> Leases:
    return Leases(broker, None, seconds=120, on_overdue=lambda _lease: None, clock=clock)


@pytest.mark.parametrize("size", [1, 3, 25])
def test_no_call_carries_more_than_the_largest_batch_and_full_ones_carry_it(size: int, eventually: Eventually) -> None:
    clock = Clock()
    broker = Other(range(50), capable_of={"largest_batch": size}, clock=clock)
    leases = leases_of(broker, clock)
    held = leases.hold(broker.receive(50, wait=0, lease=120))
    clock.advance(100)
    leases.beat()
    settler = Settler(broker, leases, linger=60, clock=clock)
    for lease in held:
        settler.acknowledge(lease)
    settler.start()
    settler.close()
    assert broker.empty
    assert broker.most("extend") == broker.most("acknowledge") == size


def test_no_more_is_asked_for_at_once_than_the_largest_batch() -> None:
    broker = Other(range(12), capable_of={"largest_batch": 5})
    assert run_once(lambda _message: None, queue=broker, settings=replace(SETTINGS, concurrency=20)) == 0
    assert broker.empty
    assert broker.most("receive") == 5


def test_a_lease_without_a_longest_one_is_renewed_for_as_long_as_it_takes() -> None:
    clock = Clock()
    broker = Other(["a"], capable_of={"longest_lease": None}, clock=clock)
    leases = leases_of(broker, clock)
    (lease,) = leases.hold(broker.receive(1, wait=0, lease=120))
    for _ in range(600):  # more than sixteen hours
        clock.advance(100)
        leases.beat()
    assert leases.longest_wait(lease) == leases.longest_hold(lease) == float("inf")
    assert not lease.lost


def test_a_lease_that_does_not_renew_is_not_extended_and_lost_when_it_ends() -> None:
    clock = Clock()
    broker = Other(["a"], capable_of={"renews_leases": False}, clock=clock)
    leases = leases_of(broker, clock)
    (lease,) = leases.hold(broker.receive(1, wait=0, lease=120))
    clock.advance(110)
    leases.beat()
    assert not lease.lost
    assert leases.longest_hold(lease) == 9  # the clock here starts a second later than the broker's
    clock.advance(10)
    leases.beat()
    assert lease.lost
    assert broker.requests["extend"] == 0


@pytest.mark.parametrize("renews", [True, False])
def test_a_message_waits_in_hand_only_if_its_lease_can_be_kept_until_its_attempt_has_ended(renews: bool) -> None:
    clock = Clock()
    broker = Other(["a"], capable_of={"renews_leases": renews}, clock=clock)
    leases = leases_of(broker, clock)
    inbox = Inbox(ordered=False, ask_for=lambda _held: 0)
    for lease in leases.hold(broker.receive(1, wait=0, lease=120)):
        inbox.put(Work(lease=lease))
    found = inbox.next()
    assert found is not None
    line, work = found
    in_hand = InHand(inbox, leases, most=10, longest_run=100, clock=clock)
    assert in_hand.keep(line, work, 10)
    assert in_hand.keep(line, work, 30) is renews
    in_hand.stop()


def test_a_broker_that_does_not_count_gives_nothing_up_by_itself() -> None:
    """A guard on deliveries would take each one for the last."""
    clock = Clock()
    broker = Other(["{}"], capable_of={"counts_deliveries": False}, clock=clock)
    attempts = itertools.count(1)

    def succeed_at_the_third(_message: Message) -> None:
        if next(attempts) < 3:
            raise TimeoutError

    settings = replace(SETTINGS, max_receive_count=1, max_attempts=5)
    while broker.seconds_to_next is not None:
        clock.advance(broker.seconds_to_next)
        assert run_once(succeed_at_the_third, queue=broker, settings=settings) == 0
    assert broker.dead_letters == []
    assert next(attempts) == 4


@pytest.mark.parametrize(("one_reader", "readers"), [(True, {"receiver-0"}), (False, {"receiver-0", "receiver-1"})])
def test_one_reader_is_not_joined_by_others_where_it_is_enough(one_reader: bool, readers: set[str]) -> None:
    seen: set[str] = set()
    done = threading.Event()

    class Plentiful(Other):
        def receive(self, limit: int, *, wait: float, lease: int) -> list[Delivery]:
            seen.add(threading.current_thread().name)
            for _ in range(limit):
                self.send({})
            return super().receive(limit, wait=wait, lease=lease)

    handled = itertools.count(1)

    def handle(_message: Message) -> None:
        if seen == readers and next(handled) > 200:
            done.set()

    settings = replace(SETTINGS, concurrency=30, receivers=2)
    worker = Worker(handle, gate=Gate(), broker=Plentiful(capable_of={"one_reader": one_reader}), settings=settings)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert done.wait(PATIENCE)
    worker.request_stop("test")
    thread.join(PATIENCE)
    assert seen == readers


def test_a_message_is_released_where_dead_letters_have_no_place() -> None:
    clock = Clock()
    broker = Other(["a"], capable_of={"dead_letters": False}, clock=clock)
    leases = leases_of(broker, clock)
    settler = Settler(broker, leases, clock=clock)
    (lease,) = leases.hold(broker.receive(1, wait=0, lease=120))
    arrived: list[bool] = []
    letter = Letter(reason="bad")
    letter.then(arrived.append)
    settler.dead_letter(lease, letter)
    settler.start()
    settler.close()
    assert (arrived, broker.dead_letters, len(broker.released)) == ([False], [], 1)


def test_run_leaves_the_broker_before_the_process_ends(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    story: list[object] = []

    class Leaving(MemoryQueue):
        def __init__(self, *_arguments: object, **_options: object) -> None:
            super().__init__([{}])

        def close(self) -> None:
            story.append("closed")

    for name, value in {
        "WORKER_NAME": "test",
        "QUEUE_URL": "https://sqs/1/orders",
        "AWS_REGION": "eu-west-1",
        "RECEIVE_WAIT_SECONDS": "0",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HEALTH_FILE", str(tmp_path / "healthy"))
    monkeypatch.setattr("fargate_workers_runtime.entry_points.worker.starting", nullcontext)  # the log is pytest's here
    monkeypatch.setattr("fargate_workers_runtime.opening.SqsBroker", Leaving)
    monkeypatch.setattr(
        "fargate_workers_runtime.entry_points.worker.on_stop", lambda request_stop: request_stop("test")
    )
    monkeypatch.setattr("fargate_workers_runtime.entry_points.worker.end", story.append)
    run(lambda _message: None)
    assert story == ["closed", 0]
