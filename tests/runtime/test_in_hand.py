"""FIFO groups whose first message fails, and duplicates that wait: in hand, so that nobody spends deliveries."""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage
from fargate_workers_runtime.brokers.broker import DeadLetter, Failure
from fargate_workers_runtime.claims.protocol import fingerprint
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.pipeline.in_hand import InHand
from fargate_workers_runtime.pipeline.inbox import Line, Work
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE
from tests.runtime.thread_limit import ThreadLimit

Eventually = Callable[[Callable[[], object]], None]

SETTINGS = Settings(worker_name="test", queue_url="memory", receive_wait=0, health_file=None, max_attempts=5)


class Running:
    """A worker in a thread; the end of the `with` stops it."""

    def __init__(
        self, handle: Callable[[Message], None], queue: MemoryQueue, claims: MemoryClaims | None = None, **changes: Any
    ) -> None:
        self.lines: list[str] = []
        self.metrics = Metrics("test", write=self.lines.append)
        self.worker = Worker(
            handle,
            gate=Gate(idempotency_key="/id") if claims else Gate(),
            broker=queue,
            settings=replace(SETTINGS, **changes),
            claims=claims,
            metrics=self.metrics,
        )
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.worker.request_stop("the test is over")
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the worker did not stop"

    def _run(self) -> None:
        self.code = self.worker.run()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs that no test has to wait for."""
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.equal_jitter", lambda *_a, **_k: 0.0)


def group(*numbers: int, group_id: str = "a", into: MemoryQueue | None = None) -> MemoryQueue:
    queue = into or MemoryQueue(fifo=True)
    for number in numbers:
        queue.send({"id": str(number)}, group_id=group_id)
    return queue


def test_what_finds_no_thread_to_wait_in_hand_is_released_and_the_next_waits(
    monkeypatch: pytest.MonkeyPatch, quick: None, eventually: Eventually
) -> None:
    deliveries: list[tuple[str, int]] = []
    limit = ThreadLimit(monkeypatch, "in-hand")

    def handle(message: Message) -> None:
        if limit.refused:
            limit.end()
        deliveries.append((message.body["id"], message.receive_count))
        if message.receive_count == 1:
            raise ValueError("the first attempt fails")

    queue = group(1, 2)
    group(3, group_id="b", into=queue)
    with Running(handle, queue, concurrency=1):
        eventually(lambda: queue.empty)
    assert limit.refused == 1
    assert [number for number, _ in deliveries if number != "3"] == ["1", "1", "2", "2"]


@pytest.mark.parametrize("claims", [None, MemoryClaims()], ids=["no claims", "claims"])
@pytest.mark.fault(48)
def test_the_failures_of_a_groups_first_are_not_charged_to_the_rest(
    claims: MemoryClaims | None, quick: None, eventually: Eventually
) -> None:
    begun: list[tuple[str, int, int]] = []

    def handle(message: Message) -> None:
        begun.append((message.body["id"], message.receive_count, message.attempt))
        if message.body["id"] == "0":
            raise ConnectionError("down")

    queue = group(*range(10))
    with Running(handle, queue, claims):
        eventually(lambda: queue.empty)
    # To a handler, a retry in hand looks like a delivery; to the queue, there was one.
    assert begun == [("0", attempt, attempt) for attempt in range(1, 6)] + [(str(n), 1, 1) for n in range(1, 10)]
    assert queue.dead_letters[0].delivery.receive_count == 1
    assert [(letter.delivery.text, letter.reason) for letter in queue.dead_letters] == [
        ('{"id": "0"}', "failed 5 times")
    ]


def test_attempts_in_hand_count_in_the_process_that_comes_next(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    waits = [0.0, 3600.0]
    monkeypatch.setattr(
        "fargate_workers_runtime.pipeline.attempting.attempts.equal_jitter",
        lambda *_a, **_k: waits.pop(0) if waits else 0,
    )
    begun: list[int] = []

    def fail(message: Message) -> None:
        begun.append(message.attempt)
        raise ConnectionError("down")

    clock = Clock()
    queue, claims = group(0, into=MemoryQueue(fifo=True, clock=clock)), MemoryClaims()
    with Running(fail, queue, claims) as running:
        eventually(lambda: running.worker.inbox.parked and len(begun) == 2)
        running.stop()
    clock.advance(3600)
    with Running(fail, queue, claims):
        eventually(lambda: queue.empty)
    assert begun == [1, 2, 3, 4, 5]
    assert [letter.reason for letter in queue.dead_letters] == ["failed 5 times"]


@pytest.mark.parametrize("fifo", [False, True])
def test_a_claim_that_began_nothing_is_no_attempt(
    fifo: bool, quick: None, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    """Each second claim is granted and not heard of, by a store that then takes no release either, for a while."""
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.full_jitter", lambda *_a, **_k: 0.0)
    for wait in ("while_held", "until_next_look"):
        monkeypatch.setattr(f"fargate_workers_runtime.pipeline.attempting.attempts.{wait}", lambda *_a, **_k: 0.0)
    monkeypatch.setattr("fargate_workers_runtime.pipeline.outage.full_jitter", lambda *_a, **_k: 0.01)
    claims, calls, failures = MemoryClaims(), itertools.count(), [0]
    claim, release = claims.claim, claims.release

    def unheard(*arguments: Any, **options: Any) -> Any:
        granted = claim(*arguments, **options)
        if granted.state == "granted" and next(calls) % 2 == 0:
            failures[0] = 2
            raise TimeoutError("no answer")
        return granted

    def unreliable(*arguments: Any, **options: Any) -> None:
        if failures[0]:
            failures[0] -= 1
            raise TimeoutError("no answer")
        release(*arguments, **options)

    monkeypatch.setattr(claims, "claim", unheard)
    monkeypatch.setattr(claims, "release", unreliable)
    begun: list[int] = []

    def fail(message: Message) -> None:
        begun.append(message.attempt)
        raise ConnectionError("down")

    queue = MemoryQueue(fifo=fifo)
    queue.send({"id": "0"}, group_id="a" if fifo else None)
    with Running(fail, queue, claims):
        eventually(lambda: queue.empty)
    assert begun == [1, 2, 3, 4, 5]
    assert [letter.reason for letter in queue.dead_letters] == ["failed 5 times"]


def test_an_attempt_that_died_with_its_process_has_not_failed(quick: None, eventually: Eventually) -> None:
    queue, claims = group(0), MemoryClaims()
    (stored,) = queue.stored
    claims.claim("0", owner="killed", seconds=-60, message_id=stored.id)
    begun: list[int] = []

    def fail(message: Message) -> None:
        begun.append(message.attempt)
        raise ConnectionError("down")

    with Running(fail, queue, claims):
        eventually(lambda: queue.empty)
    assert begun == [2, 3, 4, 5, 6]
    assert [letter.reason for letter in queue.dead_letters] == ["failed 5 times"]


def test_a_group_that_waits_leaves_its_handler_to_others(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.equal_jitter", lambda *_a, **_k: 3600.0)
    seen: list[str] = []

    def handle(message: Message) -> None:
        if message.group_id == "a":
            raise ConnectionError("down")
        seen.append(message.body["id"])

    queue = group(*range(5))
    with Running(handle, queue, concurrency=1):
        eventually(lambda: queue.hidden == 1)
        group(*range(5, 30), group_id="b", into=queue)
        eventually(lambda: len(seen) == 25)
        assert queue.stored[0].receive_count == 1


@pytest.mark.usefixtures("amid_work")
def test_a_stop_hands_a_waiting_group_back_in_order_the_first_with_the_rest_of_its_back_off(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.equal_jitter", lambda *_a, **_k: 1000.0)
    began = threading.Event()

    def handle(message: Message) -> None:
        began.set()
        raise ConnectionError("down")

    queue = group(*range(4))
    with Running(handle, queue) as running:
        assert began.wait(PATIENCE)
        eventually(lambda: running.worker.inbox.parked)
        running.stop()
    seconds = {received.text: seconds for received, seconds in queue.released}
    assert 1000 - PATIENCE <= seconds.pop('{"id": "0"}') <= 1000
    assert list(seconds.values()) == [0, 0, 0]
    assert queue.receive(10, wait=0, lease=30) == []  # the first holds the group
    assert queue.seconds_to_next


def test_a_stop_amid_a_groups_first_gives_the_rest_back_at_once_and_locked_behind_it(eventually: Eventually) -> None:
    began, release = threading.Event(), threading.Event()

    def handle(message: Message) -> None:
        began.set()
        release.wait(PATIENCE)

    queue = group(*range(4))
    running = Running(handle, queue)
    with running:
        assert began.wait(PATIENCE)
        running.worker.request_stop("SIGTERM")
        eventually(lambda: queue.hidden == 1)
        assert queue.receive(10, wait=0, lease=30) == []
        release.set()
    assert [each.text for each in queue.receive(1, wait=0, lease=30)] == ['{"id": "1"}']


def test_a_handler_that_outlives_the_drain_leaves_nothing_of_its_group_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "drain_seconds", 0.2)
    began, release = threading.Event(), threading.Event()

    def hang(_message: Message) -> None:
        began.set()
        release.wait(PATIENCE)

    queue = group(*range(5))
    with Running(hang, queue):
        assert began.wait(PATIENCE)
    assert queue.hidden == 0
    release.set()


def test_a_fault_of_the_gate_holds_its_group(
    monkeypatch: pytest.MonkeyPatch, quick: None, eventually: Eventually
) -> None:
    faults = [SystemExit("a key function ended the process"), ZeroDivisionError("a fault")]
    unwrap = __import__("fargate_workers_runtime.handlers.gate", fromlist=["unwrap"]).unwrap

    def faulty(body: Any, **options: Any) -> Any:
        if body == {"id": "0"} and faults:
            raise faults.pop()
        return unwrap(body, **options)

    monkeypatch.setattr("fargate_workers_runtime.handlers.gate.unwrap", faulty)
    seen: list[tuple[str, int]] = []
    queue = group(*range(4))
    with Running(lambda message: seen.append((message.body["id"], message.receive_count)), queue):
        eventually(lambda: queue.empty)
    assert seen == [("0", 3), ("1", 1), ("2", 1), ("3", 1)]


@pytest.mark.parametrize("by", ["the gate", "the handler"])
def test_a_group_goes_on_when_its_poison_is_in_the_dead_letter_queue_and_not_before(
    by: str, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    open_now, tried = threading.Event(), threading.Event()
    seen: list[str] = []

    def handle(message: Message) -> None:
        if message.body["id"] == "poison":
            raise PoisonMessage("bad")
        seen.append(message.body["id"])

    queue = MemoryQueue(fifo=True)
    queue.send({"id": "poison"} if by == "the handler" else "{", group_id="a")
    group(1, 2, into=queue)
    send = queue.dead_letter

    def slow(letters: Sequence[DeadLetter]) -> list[Failure]:
        tried.set()
        if not open_now.is_set():
            raise ConnectionError("down")
        return send(letters)

    monkeypatch.setattr(queue, "dead_letter", slow)
    with Running(handle, queue):
        assert tried.wait(PATIENCE)
        assert seen == []
        open_now.set()
        eventually(lambda: queue.empty)
    assert seen == ["1", "2"]
    assert len(queue.dead_letters) == 1


def test_a_group_whose_poison_cannot_be_buried_comes_back_with_it(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    queue = MemoryQueue(fifo=True)
    queue.send("{", group_id="a")
    group(1, 2, into=queue)
    refused: list[Sequence[DeadLetter]] = []

    def refuse(letters: Sequence[DeadLetter]) -> list[Failure]:
        refused.append(letters)
        return [Failure(index=0, permanent=True, code="AccessDenied")]

    monkeypatch.setattr(queue, "dead_letter", refuse)
    seen: list[str] = []
    with Running(lambda message: seen.append(message.body["id"]), queue) as running:
        eventually(lambda: bool(refused))
        running.stop()
    assert seen == []
    assert '"OutcomesGivenUp":1' in running.lines[-1]


@pytest.mark.fault(51)
def test_a_duplicate_beside_a_long_job_waits_in_hand_and_spends_no_delivery(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.until_next_look", lambda *_a, **_k: 0.0)
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.random.uniform", lambda *_a: 0.0)
    claims = MemoryClaims()
    looks = threading.Semaphore(0)
    claim = claims.claim

    def counted(*arguments: Any, **options: Any) -> Any:
        looks.release()
        return claim(*arguments, **options)

    monkeypatch.setattr(claims, "claim", counted)
    claims.claim("1", owner="the long job", seconds=600, payload=fingerprint({"id": "1"}))
    queue = MemoryQueue([{"id": "1"}], max_receive_count=3)
    with Running(lambda _message: None, queue, claims, max_receive_count=3):
        for _ in range(20):
            assert looks.acquire(timeout=PATIENCE)
        assert queue.stored[0].receive_count == 1
        claims.complete("1", owner="the long job")
        eventually(lambda: queue.empty)
    assert queue.dead_letters == []


def test_a_duplicate_in_hand_looks_again_at_a_steady_pace_however_long_the_other_takes(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    waits: list[float] = []
    keep = InHand.keep

    def at_once(in_hand: InHand, line: Line, work: Work, seconds: float) -> bool:
        waits.append(seconds)
        return keep(in_hand, line, work, 0)

    monkeypatch.setattr(InHand, "keep", at_once)
    claims = MemoryClaims()
    claims.claim("1", owner="the long job", seconds=600, payload=fingerprint({"id": "1"}))
    queue = MemoryQueue([{"id": "1"}])
    with Running(lambda _message: None, queue, claims):
        eventually(lambda: len(waits) >= 30)
        claims.complete("1", owner="the long job")
        eventually(lambda: queue.empty)
    assert max(waits) <= 21
    assert all(wait >= 20 for wait in waits[6:])


def test_more_groups_than_may_wait_in_hand_are_handed_back(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.attempting.attempts.equal_jitter", lambda *_a, **_k: 3600.0)

    def fail(_message: Message) -> None:
        raise ConnectionError("down")

    queue = MemoryQueue(fifo=True)
    for number in range(20):
        group(number, group_id=str(number), into=queue)
    with Running(fail, queue, concurrency=1) as running:
        eventually(lambda: len(queue.released) == 12)
        assert running.worker.inbox.parked == 8


@pytest.mark.usefixtures("amid_work")
def test_what_the_queue_would_give_up_is_attempted_before_a_stop_ends(eventually: Eventually) -> None:
    began, release = threading.Event(), threading.Event()
    seen: list[str] = []

    def handle(message: Message) -> None:
        began.set()
        release.wait(PATIENCE)
        seen.append(message.body["id"])

    queue = group(*range(4))
    for _ in range(2):  # two tasks that were stopped have handed all of them back
        received = queue.receive(10, wait=0, lease=30)
        queue.release([(each, 0) for each in received])
    with Running(handle, queue, concurrency=4, max_receive_count=3, receive_wait=1) as running:
        assert began.wait(PATIENCE)
        running.worker.request_stop("SIGTERM")
        assert running.worker.stopping.wait(PATIENCE)
        release.set()
    assert seen == ["0", "1", "2", "3"]
    eventually(lambda: queue.empty)
    assert queue.dead_letters == []
