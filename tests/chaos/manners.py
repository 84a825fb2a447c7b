"""How a handler of the chaos run waits, fails and never ends: as a function, or in one of the ways of coroutines."""

import asyncio
import concurrent.futures
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import NoReturn, Protocol


class Manner(Protocol):
    """How a handler does what takes time, and what goes wrong."""

    async def wait(self, seconds: float) -> None:
        """Let so many seconds pass."""
        ...

    async def call(self, blocking: Callable[[], None]) -> None:
        """Call what blocks."""
        ...

    async def fail(self) -> None:
        """Raise something."""
        ...

    async def wait_for_ever(self, *, deaf: bool) -> None:
        """Wait for what never comes; `deaf`: heed no cancellation."""
        ...


class AsFunction:
    """Without ever giving its thread away."""

    async def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    async def call(self, blocking: Callable[[], None]) -> None:
        blocking()

    async def fail(self) -> None:
        raise RuntimeError("not this time")

    async def wait_for_ever(self, *, deaf: bool) -> None:
        while True:
            time.sleep(60)


class Unusual(BaseException):
    """What no `except Exception` catches."""


class AsCoroutine:
    """On an event loop, each time in another way.

    Args:
        chosen: Chooses the way.
    """

    def __init__(self, chosen: random.Random) -> None:
        self._chosen = chosen
        self._ways: Sequence[Callable[[float], Awaitable[object]]] = (
            asyncio.sleep,
            _side_by_side,
            _beside_a_failure,
            _in_an_iteration,
            _in_a_thread,
            _in_an_executor_of_its_own,
            _beside_what_stays_behind,
            _with_a_limit_of_its_own,
            _shielded,
        )

    async def wait(self, seconds: float) -> None:
        context = _SEEN.set(object())
        mine = _SEEN.get()
        await self._chosen.choice(self._ways)(seconds)
        if _SEEN.get() is not mine:
            raise AssertionError("the context is another one's")
        _SEEN.reset(context)

    async def call(self, blocking: Callable[[], None]) -> None:
        await asyncio.to_thread(blocking)

    async def fail(self) -> None:
        await self._chosen.choice(_FAILURES)(RuntimeError("not this time"))
        raise RuntimeError("not this time either")

    async def wait_for_ever(self, *, deaf: bool) -> None:
        while True:
            try:
                await asyncio.gather(asyncio.Event().wait(), asyncio.Event().wait())
            except asyncio.CancelledError:
                if not deaf:
                    raise


_SEEN: ContextVar[object] = ContextVar("seen")


async def _side_by_side(seconds: float) -> None:
    await asyncio.gather(*(asyncio.sleep(seconds / part) for part in (1, 2, 3)))


async def _raise(error: BaseException) -> NoReturn:
    await asyncio.sleep(0)
    raise error


async def _beside_a_failure(seconds: float) -> None:
    await asyncio.gather(asyncio.sleep(seconds), _raise(ValueError("beside")), return_exceptions=True)


async def _rounds(seconds: float) -> AsyncGenerator[None]:
    while True:
        await asyncio.sleep(seconds)
        yield


async def _in_an_iteration(seconds: float) -> None:
    async for _ in _rounds(seconds):
        break  # the loop closes what is left of it


async def _in_a_thread(seconds: float) -> None:
    await asyncio.to_thread(time.sleep, seconds)


async def _in_an_executor_of_its_own(seconds: float) -> None:
    executor = concurrent.futures.ThreadPoolExecutor(1)
    try:
        await asyncio.get_running_loop().run_in_executor(executor, time.sleep, seconds)
    finally:
        executor.shutdown(wait=False)


_behind: set[asyncio.Task[object]] = set()


async def _beside_what_stays_behind(seconds: float) -> None:
    for coroutine in (asyncio.sleep(60), _raise(ValueError("behind")), _raise(SystemExit(3))):
        task: asyncio.Task[object] = asyncio.create_task(coroutine)
        _behind.add(task)
    await asyncio.sleep(seconds)


async def _with_a_limit_of_its_own(seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.Event().wait()


async def _shielded(seconds: float) -> None:
    await asyncio.shield(asyncio.sleep(seconds))


# Failures


async def _in_a_gathering(error: Exception) -> None:
    await asyncio.gather(asyncio.sleep(0.01), _raise(error))


async def _in_a_group(error: Exception) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(60))
        group.create_task(_raise(error))


async def _by_cancelling_itself(_error: Exception) -> None:
    task = asyncio.current_task()
    assert task
    task.cancel()
    await asyncio.sleep(60)


async def _with_what_was_cancelled(_error: Exception) -> None:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task


async def _unusually(_error: Exception) -> None:
    raise Unusual


async def _like_an_exit(_error: Exception) -> None:
    raise SystemExit(3)


async def _like_an_interrupt(_error: Exception) -> None:
    raise KeyboardInterrupt


async def _like_a_closed_generator(_error: Exception) -> None:
    raise GeneratorExit


_FAILURES: Sequence[Callable[[Exception], Awaitable[None]]] = (
    _raise,
    _in_a_gathering,
    _in_a_group,
    _by_cancelling_itself,
    _with_what_was_cancelled,
    _unusually,
    _like_an_exit,
    _like_an_interrupt,
    _like_a_closed_generator,
)
