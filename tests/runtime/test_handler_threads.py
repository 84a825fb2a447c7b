"""The threads of handlers: a function has one of its own, and coroutines share a few."""

import asyncio
import contextlib
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest

from fargate_workers_runtime import Message, run_once
from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.handlers.asynchronous import synchronous
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.handlers.steps import Steps
from fargate_workers_runtime.pipeline.handler_threads import HandlerThreads
from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work
from fargate_workers_runtime.pipeline.leases import Lease
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]


def settings(concurrency: int) -> Settings:
    return Settings(worker_name="test", queue_url="memory", receive_wait=0, concurrency=concurrency, health_file=None)


def handlers_threads() -> int:
    return sum(thread.name.startswith("handler-") for thread in threading.enumerate())


@pytest.mark.parametrize("claims", [None, MemoryClaims()], ids=["without claims", "with claims"])
def test_coroutines_that_wait_take_no_threads(claims: MemoryClaims | None, amid_work: None) -> None:
    before = handlers_threads()
    threads: list[int] = []
    together = asyncio.Barrier(200)

    async def handle(_message: Message) -> None:
        if await asyncio.wait_for(together.wait(), PATIENCE) == 0:
            threads.append(handlers_threads() - before)

    queue = MemoryQueue(range(200))
    assert run_once(handle, queue=queue, claims=claims, settings=settings(200)) == 0
    assert queue.empty
    assert threads[0] < 50


def test_as_many_coroutines_run_at_once_as_concurrency_says() -> None:
    running, most = 0, 0

    async def handle(_message: Message) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    queue = MemoryQueue(range(60))
    run_once(handle, queue=queue, settings=settings(3))
    assert queue.empty
    assert most <= 3


def test_coroutines_of_a_group_run_one_after_the_other() -> None:
    story: list[str] = []

    async def handle(message: Message) -> None:
        story.append(f"{message.group_id}{message.body} begins")
        await asyncio.sleep(0)
        story.append(f"{message.group_id}{message.body} ends")

    queue = MemoryQueue(fifo=True)
    for number in range(5):
        for group_id in ("a", "b"):
            queue.send(number, group_id=group_id)
    while not queue.empty:  # one run sees nothing of a group that is locked
        run_once(handle, queue=queue, settings=settings(10))
    for group_id in ("a", "b"):
        steps = [f"{group_id}{number} {step}" for number in range(5) for step in ("begins", "ends")]
        assert [step for step in story if step.startswith(group_id)] == steps


def test_a_call_that_nobody_goes_on_with_ends_without_a_word() -> None:
    async def handle(_message: Message) -> None:
        await asyncio.sleep(0)

    steps = synchronous(handle, seconds=5).steps(Message(id="1", body={}, raw="{}"))
    next(steps)
    steps.close()


# Coroutines and the end of the worker


def running(handle: Callable[[Message], Any], queue: MemoryQueue, **changes: Any) -> tuple[Worker, list[int]]:
    """A worker in a thread, and the exit code that it comes to."""
    worker = Worker(
        handle,
        gate=Gate(idempotency_key="/id"),
        broker=queue,
        claims=changes.pop("claims", None),
        settings=replace(settings(10), **changes),
        metrics=Metrics("test", write=lambda _line: None),
    )
    codes: list[int] = []
    threading.Thread(target=lambda: codes.append(worker.run()), daemon=True).start()
    return worker, codes


def test_a_stop_waits_for_coroutines(eventually: Eventually) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def handle(_message: Message) -> None:
        loops.append(asyncio.get_running_loop())
        begun.set()
        await may_end.wait()

    queue, claims = MemoryQueue([{"id": "1"}]), MemoryClaims()
    worker, codes = running(handle, queue, claims=claims)
    eventually(begun.is_set)
    worker.request_stop("test")
    eventually(worker.stopping.is_set)
    assert not codes
    loops[0].call_soon_threadsafe(may_end.set)
    eventually(lambda: codes == [0])
    assert queue.empty
    assert claims.claim("1", owner="next", seconds=60).state == "completed"


def test_a_coroutine_that_outlives_the_stop_is_abandoned_with_its_message_and_key_free(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(Settings, "drain_seconds", 0.2)
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def handle(_message: Message) -> None:
        loops.append(asyncio.get_running_loop())
        begun.set()
        await may_end.wait()
        ended.set()

    queue, claims = MemoryQueue([{"id": "1"}]), MemoryClaims()
    worker, codes = running(handle, queue, claims=claims)
    eventually(begun.is_set)
    worker.request_stop("test")
    eventually(lambda: codes == [0])
    assert queue.hidden == 0
    assert claims.claim("1", owner="next", seconds=60).state == "granted"
    loops[0].call_soon_threadsafe(may_end.set)
    eventually(lambda: ended.is_set() and not worker.runs)
    assert not queue.empty


def test_a_coroutine_that_heeds_no_cancellation_is_overdue_and_ends_the_process_with_1(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.handlers.asynchronous.GRACE", 0.1)
    may_end = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def handle(_message: Message) -> None:
        loops.append(asyncio.get_running_loop())
        while not may_end.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await may_end.wait()

    queue = MemoryQueue([{"id": "1"}])
    worker, codes = running(handle, queue, lease=2, max_processing=1)
    eventually(lambda: codes == [1])
    loops[0].call_soon_threadsafe(may_end.set)
    eventually(lambda: not worker.runs)


# Where all threads wait for something else than a handler


class Rig:
    """Handlers' threads around an inbox of `lines`, each in a group of its own; `make` has the steps of an attempt."""

    def __init__(self, make: Callable[[], Steps[bool]], *, lines: int, most: int) -> None:
        self.clock = Clock()
        self.ended = Counter[str]()
        self.inbox = Inbox(ordered=True, ask_for=lambda _held: 0, slots=most)
        for number in range(lines):
            delivery = Delivery(id=str(number), text="{}", token="t", group_id=str(number))
            self.inbox.put(Work(lease=Lease(delivery=delivery, leased_until=1.0, ends_at=1.0)))
        self.threads = HandlerThreads(
            self.inbox,
            begin=lambda _line, _work: make(),
            carry_out=self._carry_out,
            failed=lambda _line, _work: self.ended.update(["failed"]),
            most=most,
            asynchronous=True,
            clock=self.clock,
        )

    def _carry_out(self, outcome: bool, _line: Line, work: Work) -> bool:
        self.ended.update(["goes on" if outcome else "stops"])
        self.inbox.end(work)
        return outcome

    def __enter__(self) -> "Rig":
        self.threads.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.inbox.dismiss()
        self.threads.stop()


def test_further_threads_begin_lines_while_all_wait_for_a_store(eventually: Eventually) -> None:
    together = threading.Barrier(40)

    def blocked() -> Steps[bool]:
        together.wait(PATIENCE)
        yield from ()
        return True

    with Rig(blocked, lines=40, most=40) as rig:
        eventually(lambda: together.n_waiting == 16)
        rig.threads.look()  # these have begun since the last look
        assert together.n_waiting == 16
        rig.threads.look()
        eventually(lambda: rig.ended["goes on"] == 40)


def test_further_threads_end_what_has_waited_for_one(eventually: Eventually) -> None:
    together = threading.Barrier(20)
    awaited: list[Future[None]] = []

    def blocked_at_its_end() -> Generator[Future[Any], None, bool]:
        future: Future[None] = Future()
        awaited.append(future)
        yield future
        together.wait(PATIENCE)
        return True

    with Rig(blocked_at_its_end, lines=20, most=20) as rig:
        eventually(lambda: len(awaited) == 20)
        for future in awaited:
            future.set_result(None)
        eventually(lambda: together.n_waiting == 4)
        rig.threads.look()  # nothing has waited for long
        assert together.n_waiting == 4
        rig.clock.advance(1)
        rig.threads.look()
        eventually(lambda: rig.ended["goes on"] == 20)


def test_attempts_that_end_together_do_not_wait_for_one_thread(eventually: Eventually) -> None:
    together = threading.Barrier(3)
    awaited: list[Future[None]] = []

    def blocked_at_its_end() -> Generator[Future[Any], None, bool]:
        future: Future[None] = Future()
        awaited.append(future)
        yield future
        if future is not awaited[0]:
            together.wait(PATIENCE)
        return True

    with Rig(blocked_at_its_end, lines=3, most=3) as rig:
        eventually(lambda: len(awaited) == 3)
        awaited[0].set_result(None)
        eventually(lambda: rig.ended["goes on"] == 1 and rig.threads.idle == 1)
        before = sys.getswitchinterval()
        sys.setswitchinterval(PATIENCE)  # the thread that has nothing to do does not wake up between the two
        for future in awaited[1:]:
            future.set_result(None)
        sys.setswitchinterval(before)
        eventually(lambda: together.n_waiting == 2)
        together.wait(PATIENCE)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_line_that_has_ended_leaves_its_slot_to_the_next(goes_on: bool, eventually: Eventually) -> None:
    def quick() -> Generator[Future[Any], None, bool]:
        future: Future[None] = Future()
        future.set_result(None)
        yield future
        return goes_on

    with Rig(quick, lines=50, most=1) as rig:
        eventually(lambda: sum(rig.ended.values()) == 50)
    assert rig.ended == {"goes on" if goes_on else "stops": 50}


def test_an_attempt_that_breaks_leaves_its_slot_and_its_thread_to_the_next(eventually: Eventually) -> None:
    def breaks() -> Generator[Future[Any], None, bool]:
        future: Future[None] = Future()
        future.set_result(None)
        yield future
        raise KeyboardInterrupt

    with Rig(breaks, lines=10, most=1) as rig:
        eventually(lambda: rig.ended["failed"] == 10)
