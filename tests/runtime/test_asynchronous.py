"""Coroutine functions as handlers."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from io import StringIO

import pytest

from fargate_workers_runtime import Message, PoisonMessage, run_once
from fargate_workers_runtime.handlers.asynchronous import GRACE, is_asynchronous, synchronous
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import logs
from fargate_workers_runtime.testing import MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE
from tests.runtime.thread_limit import ThreadLimit

Eventually = Callable[[Callable[[], object]], None]


def test_coroutines_run_at_once_on_one_loop() -> None:
    together = asyncio.Barrier(4)
    loops: set[asyncio.AbstractEventLoop] = set()

    async def handle(_message: Message) -> None:
        loops.add(asyncio.get_running_loop())
        await asyncio.wait_for(together.wait(), 5)

    queue = MemoryQueue(range(4))
    settings = Settings(worker_name="test", queue_url="memory", receive_wait=0, concurrency=4, health_file=None)
    run_once(handle, queue=queue, settings=settings)
    assert queue.empty
    assert len(loops) == 1


def test_what_a_coroutine_raises_ends_its_message_as_in_a_function() -> None:
    async def refuse(message: Message) -> None:
        raise PoisonMessage("unknown currency")

    queue = MemoryQueue([{}])
    run_once(refuse, queue=queue)
    assert [letter.reason for letter in queue.dead_letters] == ["unknown currency"]


def test_a_coroutine_past_its_deadline_is_cancelled() -> None:
    cancelled: list[bool] = []

    async def hang(_message: Message) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    with pytest.raises(TimeoutError):
        synchronous(hang, seconds=0.01)(Message(id="1", body={}, raw="{}"))
    assert cancelled == [True]


def test_a_coroutine_logs_with_its_messages_fields() -> None:
    stream = StringIO()

    async def handle(_message: Message) -> None:
        logging.getLogger("test").info("inside")

    call = synchronous(handle, seconds=5)
    previous = logging.root.handlers[:]
    try:
        logs.configure("test", stream=stream)
        with logs.log_context(message_id="m-1"):
            call(Message(id="m-1", body={}, raw="{}"))
        logs.flush(timeout=PATIENCE)
    finally:
        logging.root.handlers[:] = previous
    assert '"message_id": "m-1"' in stream.getvalue()


def test_a_callable_object_may_be_asynchronous() -> None:
    class Handler:
        async def __call__(self, message: Message) -> None: ...

    assert is_asynchronous(Handler())
    assert not is_asynchronous(lambda _message: None)


def test_an_event_loop_that_finds_no_thread_is_made_by_the_next_message(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.handlers.asynchronous._loop", None)
    handled: list[str] = []

    async def handle(message: Message) -> None:
        handled.append(message.id)

    limit = ThreadLimit(monkeypatch, "event-loop")
    call = synchronous(handle, seconds=5)
    with pytest.raises(RuntimeError):
        call(Message(id="1", body={}, raw="{}"))
    limit.end()
    threading.Thread(target=call, args=(Message(id="2", body={}, raw="{}"),), daemon=True).start()
    eventually(lambda: handled == ["2"])


@pytest.mark.parametrize(("kind", "grace"), [("coroutine", GRACE), ("function", 0)])
def test_a_lease_outlasts_a_coroutines_limit_by_the_time_to_clean_up(kind: str, grace: float) -> None:
    settings = Settings(worker_name="test", queue_url="memory", receive_wait=0, max_processing=600, health_file=None)
    limits: list[float] = []

    def look() -> None:
        (lease,) = worker.leases.held()
        assert lease.deadline is not None
        limits.append(lease.deadline - time.monotonic())

    async def coroutine(_message: Message) -> None:
        look()

    def function(_message: Message) -> None:
        look()

    handle = coroutine if kind == "coroutine" else function
    worker = Worker(handle, gate=Gate(), broker=MemoryQueue([{}]), settings=settings)
    assert worker.run(until_empty=True) == 0
    assert 600 - PATIENCE < limits[0] - grace <= 600


@pytest.mark.parametrize("kind", ["coroutine", "function"])
def test_how_long_the_handlers_have_been_at_it_leaves_out_the_time_to_clean_up(kind: str) -> None:
    settings = Settings(worker_name="test", queue_url="memory", receive_wait=0, concurrency=1, health_file=None)
    slow_for: list[float] = []

    def look() -> None:
        worker.look_at_slow_handlers()
        slow_for.append(worker.slow_for)

    async def coroutine(_message: Message) -> None:
        look()

    def function(_message: Message) -> None:
        look()

    handle = coroutine if kind == "coroutine" else function
    worker = Worker(handle, gate=Gate(), broker=MemoryQueue([{}]), settings=settings)
    assert worker.run(until_empty=True) == 0
    assert slow_for[0] >= 0
