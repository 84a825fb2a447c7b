"""Coroutine functions as handlers."""

import asyncio
import logging
from io import StringIO

import pytest

from fargate_workers_runtime import Message, PoisonMessage, logs, run_once
from fargate_workers_runtime.asynchronous import is_asynchronous, synchronous
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import MemoryQueue


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
        logs.flush(timeout=2)
    finally:
        logging.root.handlers[:] = previous
    assert '"message_id": "m-1"' in stream.getvalue()


def test_a_callable_object_may_be_asynchronous() -> None:
    class Handler:
        async def __call__(self, message: Message) -> None: ...

    assert is_asynchronous(Handler())
    assert not is_asynchronous(lambda _message: None)
