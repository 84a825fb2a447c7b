"""Handlers that are coroutine functions: they run on one event loop, in a thread of its own."""

import inspect
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeGuard

from fargate_workers_runtime.message import Message

AsyncHandler = Callable[[Message], Coroutine[Any, Any, None]]
Handler = Callable[[Message], None] | AsyncHandler


def is_asynchronous(handle: Handler) -> TypeGuard[AsyncHandler]:
    """Whether `handle`, a function or an object that can be called, is a coroutine function."""
    return inspect.iscoroutinefunction(handle) or inspect.iscoroutinefunction(type(handle).__call__)


def synchronous(handle: Handler, *, seconds: float) -> Callable[[Message], None]:
    """A handler that the worker's threads can call.

    A coroutine that takes longer than `seconds` is cancelled with TimeoutError, and its message tried again: unlike a
    thread, it can be ended from outside.
    """
    if not is_asynchronous(handle):
        return handle  # pyright: ignore[reportReturnType]  a coroutine function would have been recognised
    # Two megabytes that most workers do not need.
    import asyncio  # noqa: PLC0415

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="event-loop", daemon=True).start()

    async def limited(message: Message) -> None:
        await asyncio.wait_for(handle(message), seconds)

    def call(message: Message) -> None:
        asyncio.run_coroutine_threadsafe(limited(message), loop).result()

    return call
