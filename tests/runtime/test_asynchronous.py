"""Coroutine functions as handlers."""

import asyncio
import logging
import os
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest

from fargate_workers_runtime import Message, PoisonMessage, run_once
from fargate_workers_runtime.handlers.asynchronous import GRACE, is_asynchronous, synchronous
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import logs
from fargate_workers_runtime.testing import MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.patience import PATIENCE


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


def test_an_event_loop_that_finds_no_thread_is_made_by_the_next_message() -> None:
    program = """
import threading
from fargate_workers_runtime import Message
from fargate_workers_runtime.handlers.asynchronous import synchronous
start = threading.Thread.start
def refuse(thread):
    threading.Thread.start = start
    raise RuntimeError("can't start new thread")
async def handle(message):
    print("handled", message.id, flush=True)
threading.Thread.start = refuse
for number in range(2):
    try:
        synchronous(handle, seconds=5)(Message(id=str(number), body={}, raw="{}"))
    except RuntimeError as error:
        print(error, flush=True)
"""
    gone = subprocess.run(
        [sys.executable, "-c", program],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2] / "worker_image")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (gone.stdout.splitlines(), gone.stderr) == (["can't start new thread", "handled 1"], "")


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
