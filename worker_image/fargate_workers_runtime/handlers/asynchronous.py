"""Handlers as a worker calls them; what they return to await runs on one event loop, in its own thread."""

import functools
import inspect
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.errors import HandlerRefused, with_plain_values
from fargate_workers_runtime.handlers.returned import resolving
from fargate_workers_runtime.handlers.steps import Steps, finish
from fargate_workers_runtime.message import Message

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger(__name__)

AsyncHandler = Callable[[Message], Coroutine[Any, Any, None]]
Handler = Callable[[Message], None] | AsyncHandler

#: How long a coroutine that was cancelled at its limit may clean up, in seconds, before it counts as overdue.
GRACE = 10.0


class Call:
    """A handler as the worker can call it: it returns when the effect is done, or raises.

    A coroutine that takes longer than `seconds` is cancelled with TimeoutError, and its message tried again: unlike a
    thread, it can be ended from outside.

    Args:
        seconds: The handler's limit.
        around: Entered around each call. Default: nothing.

    Attributes:
        asynchronous: It is known to need no thread while it waits.
        grace: How much longer than `seconds` a call may take, in seconds: what is cancelled may clean up.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        seconds: float,
        around: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> None:
        self._handle = handle
        self._around = around
        self._seconds = seconds
        self._has_worked = False
        self.asynchronous: bool = is_asynchronous(handle)
        self.grace: float = GRACE if self.asynchronous else 0.0

    def __call__(self, message: Message) -> None:
        """Handle `message`; raises what `steps` does."""
        finish(self.steps(message))

    def steps(self, message: Message) -> Steps[None]:
        """The steps in which `message` is handled: without a thread while a coroutine is at it.

        Raises:
            HandlerRefused: The handler returns work that is not done, and has never done otherwise. Once one message
                has been handled, this is a fault with some messages only, and a plain TypeError.
        """
        try:
            if self._around is None:
                yield from _each(self._call(message))
            else:
                with self._around():
                    yield from _each(self._call(message))
        except GeneratorExit:  # nobody goes on with it: the process ends
            raise
        except HandlerRefused as refused:
            if self._has_worked:
                raise TypeError(*refused.args) from None
            raise
        except BaseException as error:
            if (plain := with_plain_values(error)) is error:
                raise
            raise plain from error
        self._has_worked = True

    def _call(self, message: Message) -> Steps[None]:
        began = time.monotonic()
        returned = self._handle(message)
        if returned is not None:
            deadline = began + self._seconds
            if message.deadline is not None:
                left = (message.deadline - datetime.now(UTC)).total_seconds()
                deadline = min(deadline, time.monotonic() + left)
            yield from resolving(returned, run=lambda work: self._run(work, deadline))

    def _run(self, work: Awaitable[Any], deadline: float) -> Steps[object]:
        self.grace = GRACE
        # Two megabytes that most workers do not need.
        import asyncio  # noqa: PLC0415

        if asyncio.isfuture(work):
            if work.done():
                return work.result()
            loop = work.get_loop()
            if not loop.is_running():
                raise HandlerRefused("The handler returned a Future of an event loop that does not run; run it there.")
        else:
            try:
                loop = _event_loop()
            except BaseException:
                if isinstance(work, Coroutine):
                    work.close()  # it never began
                raise
        limited = _limited(work, deadline - time.monotonic())
        future = asyncio.run_coroutine_threadsafe(limited, loop)
        yield future
        value, error = future.result()
        if error:
            raise error
        return value


def synchronous(
    handle: Handler, *, seconds: float, around: Callable[[], AbstractContextManager[None]] | None = None
) -> Call:
    """`handle`, function or coroutine function, as the worker can call it; `seconds` is its limit."""
    return Call(handle, seconds=seconds, around=around)


def is_asynchronous(handle: Handler) -> bool:
    """Whether `handle`, a function or an object that can be called, is a coroutine function, perhaps decorated."""
    return any(inspect.iscoroutinefunction(each) for each in _functions(handle))


def refuse_generators(handle: Callable[..., object]) -> None:
    """Refuse a handler that cannot do anything before it is called once.

    Raises:
        HandlerRefused: It is a generator function.
    """
    if any(inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each) for each in _functions(handle)[:2]):
        raise HandlerRefused("The handler is a generator, which does nothing when it is called: remove its yield.")


def _functions(handle: Callable[..., object]) -> list[Callable[..., object]]:
    """What a call of `handle` runs, and what stands behind its decorators."""
    called: list[Callable[..., object]] = [handle, type(handle).__call__]
    return [*called, inspect.unwrap(handle.func if isinstance(handle, functools.partial) else handle)]


def _each(steps: Steps[None]) -> Steps[None]:
    """Each of `steps`; what the handler raises is never taken for the end that nobody goes on with them."""
    while True:
        try:
            awaited = next(steps)
        except StopIteration:
            return
        except GeneratorExit as error:
            raise RuntimeError("the handler raised GeneratorExit") from error
        yield awaited


async def _limited(work: Awaitable[Any], seconds: float) -> tuple[object, BaseException | None]:
    """What `work` gives, or SystemExit and the like as a value: raised in a coroutine, they would end the loop."""
    import asyncio  # noqa: PLC0415

    async def caught() -> tuple[object, BaseException | None]:
        try:
            return await work, None
        except (SystemExit, KeyboardInterrupt) as error:
            return None, error

    return await asyncio.wait_for(caught(), max(0.0, seconds))


# One loop for all handlers of a process: a loop costs descriptors, and a suite of tests makes many workers.
_loop: "asyncio.AbstractEventLoop | None" = None
_making = threading.Lock()


def _event_loop() -> "asyncio.AbstractEventLoop":
    import asyncio  # noqa: PLC0415

    global _loop  # noqa: PLW0603
    with _making:
        if _loop is None or _loop.is_closed():
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(_say)
            running = threading.Event()
            loop.call_soon(running.set)
            try:
                threading.Thread(target=_run, args=(loop,), name="event-loop", daemon=True).start()
            except BaseException:  # no thread is to be had just now: the next message tries again
                loop.close()
                raise
            running.wait()
            _loop = loop
        return _loop


def _run(loop: "asyncio.AbstractEventLoop") -> None:
    while not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException:  # of a task that a handler left behind; the other handlers go on
            _log.exception("event_loop_failed")


def _say(_loop: "asyncio.AbstractEventLoop", context: dict[str, Any]) -> None:
    # asyncio's own words quote the exception, and with it whatever a message contains.
    _log.error("event_loop_failed", exc_info=context.get("exception"), extra={"fields": {"what": context["message"]}})


def _forget() -> None:
    global _loop, _making
    _loop, _making = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)  # a child has none of its parent's threads
