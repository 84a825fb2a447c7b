"""Handlers that are coroutine functions: they run on one event loop, in a thread of its own."""

import asyncio
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
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="event-loop", daemon=True).start()

    def call(message: Message) -> None:
        asyncio.run_coroutine_threadsafe(_limited(handle, message, seconds), loop).result()

    return call


async def _limited(handle: AsyncHandler, message: Message, seconds: float) -> None:
    # Made here: the loop's thread is where the coroutine must begin.
    await asyncio.wait_for(handle(message), seconds)
