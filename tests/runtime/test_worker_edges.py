"""The worker where its parts meet: frozen processes, stores away at the stop, handlers that hang or turn slow."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry
from fargate_workers_runtime.brokers.broker import Delivery, Failure
from fargate_workers_runtime.pipeline.attempting.attempts import Attempts
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue
from tests.patience import PATIENCE
from tests.runtime.test_in_hand import Running
from tests.runtime.thread_limit import ThreadLimit

Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs that no test has to wait for."""
    for pause in ("equal_jitter", "full_jitter"):
        monkeypatch.setattr(f"fargate_workers_runtime.pipeline.attempting.attempts.{pause}", lambda *_a, **_k: 0.0)


# A process that stood still


class Frozen:
    """A clock that jumps when it is told to."""

    def __init__(self, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept = 0.0
        leases = running.worker.leases
        clock = leases.clock
        monkeypatch.setattr(leases, "clock", lambda: clock() + self.slept)


def test_no_handler_begins_on_a_message_fetched_before_the_process_stood_still(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    seen: list[str] = []
    frozen: list[Frozen] = []

    def handle(message: Message) -> None:
        seen.append(message.body["id"])
        eventually(lambda: len(running.worker.leases.held()) == 2)
        frozen[0].slept = 120  # amid the first; the second is in hand

    queue = MemoryQueue([{"id": "1"}, {"id": "2"}])
    claims = MemoryClaims()
    running = Running(handle, queue, claims, concurrency=1, receive_wait=1)
    running.metrics.took(0.01)  # it knows short handlers, and takes both
    frozen.append(Frozen(running, monkeypatch))
    with running:
        eventually(lambda: running.worker.inbox.taken == 0 and seen)
    assert len(seen) == 1
    assert claims.claim("2", owner="other", seconds=60).attempt == 1  # nor was it claimed


@pytest.mark.fault(50)
def test_no_handler_begins_when_the_process_stood_still_between_claim_and_handler(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    seen: list[str] = []
    claims = MemoryClaims()
    claim = claims.claim
    queue = MemoryQueue([{"id": "1"}])
    running = Running(lambda message: seen.append(message.body["id"]), queue, claims, receive_wait=1)
    frozen = Frozen(running, monkeypatch)

    def then_stand_still(*arguments: Any, **options: Any) -> Any:
        answer = claim(*arguments, **options)
        frozen.slept = 120
        return answer

    monkeypatch.setattr(claims, "claim", then_stand_still)
    with running:
        eventually(lambda: running.worker.leases.held() == [] and running.worker.inbox.taken == 0)
        eventually(lambda: claims.owners)
    assert seen == []
    assert claim("1", owner="next", seconds=60).state == "granted"  # it was freed
    assert queue.requests["acknowledge"] == 0


def test_without_claims_what_ended_after_its_lease_is_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    queue = MemoryQueue([{"id": "1"}])
    ended = threading.Event()

    def sleep(_message: Message) -> None:
        frozen.slept = 120
        ended.set()

    running = Running(sleep, queue, receive_wait=1)
    frozen = Frozen(running, monkeypatch)
    with running:
        assert ended.wait(PATIENCE)
        eventually(lambda: running.worker.inbox.taken == 0)
    assert not queue.empty


# Stopping


def test_recording_an_effect_is_tried_four_times_also_while_stopping(
    quick: None, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    claims, tries = MemoryClaims(), []
    complete = claims.complete
    queue = MemoryQueue([{"id": "1"}])

    def away(*arguments: Any, **options: Any) -> bool:
        running.worker.request_stop("SIGTERM")
        assert running.worker.stopping.wait(PATIENCE)
        tries.append(1)
        if len(tries) < 4:
            raise ConnectionError("no answer")
        return complete(*arguments, **options)

    monkeypatch.setattr(claims, "complete", away)
    running = Running(lambda _message: None, queue, claims)
    with running:
        eventually(lambda: tries)
    assert len(tries) == 4
    assert queue.empty
    assert claims.claim("1", owner="other", seconds=1).state == "completed"


def test_the_drain_does_not_wait_for_a_handler_that_it_has_given_up(eventually: Eventually) -> None:
    release = threading.Event()
    queue = MemoryQueue([{"id": "1"}])
    # A drain of 105 seconds, which `stop` would not wait for.
    with Running(
        lambda _message: release.wait(2 * PATIENCE) and None, queue, lease=2, max_processing=0, receive_wait=1
    ) as running:
        eventually(lambda: running.code == 1)
    release.set()
    eventually(lambda: not running.worker.runs)


def test_a_stop_in_an_outage_of_the_queue_hands_everything_back_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.pipeline.settling.settler.equal_jitter", lambda *_a, **_k: 0.01)
    down, tried, began, release = threading.Event(), threading.Semaphore(0), threading.Event(), threading.Event()

    class Unreliable(MemoryQueue):
        def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
            self._fail()
            return super().acknowledge(deliveries)

        def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
            self._fail()
            return super().release(releases)

        def _fail(self) -> None:
            if down.is_set():
                tried.release()
                raise ConnectionError("no answer")

    def handle(_message: Message) -> None:
        began.set()
        release.wait(PATIENCE)

    queue = Unreliable(fifo=True)
    for number in range(5):
        queue.send({"id": str(number)}, group_id="a")
    running = Running(handle, queue, receive_wait=1)
    with running:
        assert began.wait(PATIENCE)
        down.set()
        running.worker.request_stop("SIGTERM")
        assert running.worker.stopping.wait(PATIENCE)
        release.set()
        for _ in range(20):  # many more than the three tries that used to be all
            assert tried.acquire(timeout=PATIENCE)
        down.clear()
    assert queue.hidden == 0
    assert [each.text for each in queue.receive(10, wait=0, lease=1)] == [
        f'{{"id": "{number}"}}' for number in range(1, 5)
    ]
    assert '"OutcomesGivenUp":0' in running.lines[-1]


# Handlers that turn slow


@pytest.mark.usefixtures("amid_work")
def test_what_was_fetched_ahead_goes_back_when_handlers_turn_slow(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    release, slow = threading.Event(), threading.Semaphore(0)
    queue = MemoryQueue({"id": str(number)} for number in range(8))

    def handle(_message: Message) -> None:
        slow.release()
        release.wait(PATIENCE)

    running = Running(handle, queue, concurrency=2, receive_wait=1)
    running.metrics.took(0.01)  # until now they were quick
    with running:
        for _ in range(2):
            assert slow.acquire(timeout=PATIENCE)
        eventually(lambda: queue.hidden == 8)
        clock = __import__("time").monotonic
        monkeypatch.setattr("fargate_workers_runtime.worker.time.monotonic", lambda: clock() + 3)
        running.worker.look_at_slow_handlers()
        eventually(lambda: queue.hidden == 2)
        assert running.worker.wants(2) == 0  # nor are they fetched again
        monkeypatch.undo()
        release.set()


def test_handlers_whose_speed_is_unknown_are_not_taken_for_quick_ones_while_the_first_run(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    began, release = threading.Event(), threading.Event()

    def handle(_message: Message) -> None:
        began.set()
        release.wait(PATIENCE)

    queue = MemoryQueue([{"id": "1"}])
    running = Running(handle, queue, concurrency=1, receive_wait=1)
    with running:
        assert began.wait(PATIENCE)
        clock = __import__("time").monotonic
        for seconds in (1, 3):
            monkeypatch.setattr("fargate_workers_runtime.worker.time.monotonic", lambda s=seconds: clock() + s)
            running.worker.look_at_slow_handlers()
            assert running.worker.wants(1) == 0
        monkeypatch.undo()
        release.set()


# Values that a handler raises


class Unspeakable(Exception):  # noqa: N818  what is wrong with it is its name here
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("kind", ["function", "coroutine"])
@pytest.mark.parametrize(
    "raised",
    [
        Unspeakable(),
        PoisonMessage(Unspeakable(), detail=Unspeakable()),  # type: ignore[arg-type]
        PoisonMessage("bad", detail=42),  # type: ignore[arg-type]
        Retry(Unspeakable(), after="soon"),  # type: ignore[arg-type]
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        StopIteration(),
        asyncio.CancelledError(),
        BaseExceptionGroup("several", [GeneratorExit(), SystemExit(3)]),
    ],
    ids=lambda raised: type(raised).__name__,
)
@pytest.mark.fault(52)
def test_whatever_a_handler_raises_ends_its_message_alone(
    raised: BaseException, kind: str, quick: None, eventually: Eventually
) -> None:
    seen: list[str] = []

    def function(message: Message) -> None:
        if message.body["id"] == "0":
            raise raised
        seen.append(message.body["id"])

    async def coroutine(message: Message) -> None:
        await asyncio.sleep(0)
        function(message)

    handle = coroutine if kind == "coroutine" else function
    queue = MemoryQueue({"id": str(number)} for number in range(20))
    with Running(handle, queue, concurrency=2, max_attempts=2) as running:
        eventually(lambda: queue.empty)
        assert sum(thread.name.startswith("handler-") and thread.is_alive() for thread in threading.enumerate()) >= 2
    assert sorted(seen, key=int) == [str(number) for number in range(1, 20)]
    (letter,) = queue.dead_letters
    assert isinstance(letter.reason, str)
    assert isinstance(letter.detail, str)
    assert running.code == 0


def test_a_negative_wait_is_none(eventually: Eventually) -> None:
    counts: list[int] = []

    def handle(message: Message) -> None:
        counts.append(message.receive_count)
        if message.receive_count == 1:
            raise Retry(after=timedelta(seconds=-5))

    queue = MemoryQueue([{"id": "1"}])
    with Running(handle, queue):
        eventually(lambda: queue.empty)
    assert counts == [1, 2]


def test_a_handlers_thread_outlives_a_fault_around_it(monkeypatch: pytest.MonkeyPatch, eventually: Eventually) -> None:
    seen: list[str] = []
    queue = MemoryQueue({"id": str(number)} for number in range(3))
    running = Running(lambda message: seen.append(message.body["id"]), queue, concurrency=1)
    attempt = Attempts.attempt
    faults = [KeyboardInterrupt("a fault of the runtime")]

    def faulty(attempts: Attempts, work: Any) -> Any:
        if faults:
            raise faults.pop()
        return attempt(attempts, work)

    monkeypatch.setattr(Attempts, "attempt", faulty)
    with running:
        eventually(lambda: len(seen) == 2)
    assert queue.hidden == 1  # the end of its lease brings it back


def test_a_group_does_not_go_on_after_a_fault_around_its_handler(
    monkeypatch: pytest.MonkeyPatch, amid_work: None, eventually: Eventually
) -> None:
    seen: list[str] = []
    now = Clock()
    queue = MemoryQueue(fifo=True, clock=now)
    for number in range(3):
        queue.send({"id": str(number)}, group_id="a")
    queue.send({"id": "beside"}, group_id="b")
    running = Running(lambda message: seen.append(message.body["id"]), queue)
    attempt = Attempts.attempt

    def faulty(attempts: Attempts, work: Any) -> Any:
        if work.message.body["id"] == "0" and work.lease.delivery.receive_count == 1:
            raise KeyboardInterrupt("a fault of the runtime")
        return attempt(attempts, work)

    monkeypatch.setattr(Attempts, "attempt", faulty)
    with running:
        eventually(lambda: seen == ["beside"] and running.worker.inbox.taken == 0)
        eventually(lambda: queue.hidden == 1)
        now.advance(120)
        eventually(lambda: queue.empty)
    assert seen == ["beside", "0", "1", "2"]


def test_a_stop_that_finds_no_thread_sends_all_the_same_what_has_ended(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    seen: list[str] = []
    queue = MemoryQueue([{"id": "1"}])
    with Running(lambda message: seen.append(message.body["id"]), queue, MemoryClaims()) as running:
        eventually(lambda: seen)
        limit = ThreadLimit(monkeypatch, "last-releases")
    assert (limit.refused, running.code) == (1, 0)
    assert queue.empty


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_a_handler_that_hangs_ends_its_process_also_when_its_lease_is_lost(
    kind: str, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.handlers.asynchronous.GRACE", 0.0)
    begun, may_end = threading.Event(), threading.Event()

    def function(_message: Message) -> None:
        begun.set()
        may_end.wait(PATIENCE)

    async def coroutine(_message: Message) -> None:
        begun.set()
        while not may_end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    queue = MemoryQueue([{"id": "1"}])
    running = Running(coroutine if kind == "coroutine" else function, queue, lease=2, max_processing=1)
    with running:
        eventually(begun.is_set)
        (lease,) = running.worker.leases.held()
        running.worker.leases.lose(lease, "its queue does not answer")
        eventually(lambda: running.code is not None)
        may_end.set()
        eventually(lambda: not running.worker.runs)
    assert running.code == 1
