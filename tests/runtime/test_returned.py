"""What handlers return: work that remains is done, or the handler is refused and no message pays for it."""

import asyncio
import concurrent.futures
import contextlib
import functools
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from multiprocessing.pool import ThreadPool
from typing import Any
from unittest.mock import Mock

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry, run_once
from fargate_workers_runtime.errors import HandlerRefused
from fargate_workers_runtime.handlers.asynchronous import refuse_generators, synchronous
from fargate_workers_runtime.handlers.returned import unfinished
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import MemoryClaims, MemoryQueue, MemoryWorker

MESSAGE = Message(id="1", body={}, raw="{}")


class Effects(list[Any]):
    """What handlers have done."""

    async def later(self, message: Message) -> None:
        await asyncio.sleep(0)
        self.append(message.body)

    def now(self, message: Message) -> None:
        self.append(message.body)


@pytest.fixture
def effects() -> Effects:
    return Effects()


@pytest.fixture
def pool() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def foreign_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


class Awaitable:
    def __init__(self, effects: Effects, message: Message) -> None:
        self._effects, self._message = effects, message

    def __await__(self) -> Generator[Any, None, None]:
        yield from self._effects.later(self._message).__await__()


def traced(handle: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handle)
    def wrapper(*arguments: Any) -> Any:
        return handle(*arguments)

    return wrapper


def handlers(effects: Effects, pool: Any, loop: asyncio.AbstractEventLoop) -> dict[str, Callable[..., Any]]:
    """Handlers that return while their work remains to be done, in every way in which it can be waited for."""

    class Called:
        async def __call__(self, message: Message) -> None:
            await effects.later(message)

    async def forgets_to_await(message: Message) -> Any:
        return effects.later(message)

    async def leaves_a_task(message: Message) -> Any:
        return asyncio.ensure_future(effects.later(message))

    async def in_a_thread(message: Message) -> Any:
        return pool.submit(effects.now, message)

    return {
        "decorated": traced(effects.later),
        "lambda": lambda message: effects.later(message),  # noqa: PLW0108  on purpose
        "object": Called(),
        "decorated object": traced(Called()),
        "partial": functools.partial(effects.later),
        "partial of partial": functools.partial(functools.partial(traced(effects.later))),
        "own awaitable": lambda message: Awaitable(effects, message),
        "future of a pool": lambda message: pool.submit(effects.now, message),
        "future of a coroutine": lambda message: pool.submit(effects.later, message),
        "future of another loop": lambda message: asyncio.run_coroutine_threadsafe(effects.later(message), loop),
        "forgotten await": forgets_to_await,
        "task": leaves_a_task,
        "pool from a coroutine": in_a_thread,
    }


NAMES = list(handlers(Effects(), None, None))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_work_that_a_handler_returns_is_done_before_the_message_ends(
    effects: Effects, pool: Any, foreign_loop: asyncio.AbstractEventLoop, name: str
) -> None:
    queue, claims = MemoryQueue([{"id": "1"}]), MemoryClaims()
    assert run_once(handlers(effects, pool, foreign_loop)[name], queue=queue, claims=claims, idempotency_key="/id") == 0
    assert effects == [{"id": "1"}]
    assert queue.empty
    assert claims.claim("1", owner="another", seconds=1).state == "completed"


def test_an_asyncio_future_is_waited_for_on_its_own_loop(foreign_loop: asyncio.AbstractEventLoop) -> None:
    async def start() -> "asyncio.Future[None]":
        return asyncio.ensure_future(asyncio.sleep(0))

    future = asyncio.run_coroutine_threadsafe(start(), foreign_loop).result()
    synchronous(lambda _message: future, seconds=5)(MESSAGE)
    assert future.done()


def test_a_future_whose_loop_does_not_run_is_refused() -> None:
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    with pytest.raises(HandlerRefused, match="does not run"):
        synchronous(lambda _message: future, seconds=5)(MESSAGE)
    loop.close()


@pytest.mark.parametrize("name", ["decorated", "forgotten await", "future of a pool"])
def test_what_that_work_raises_ends_the_message_as_in_any_handler(pool: Any, name: str) -> None:
    class Refusing(Effects):
        def now(self, message: Message) -> None:
            raise PoisonMessage("unknown currency")

        async def later(self, message: Message) -> None:
            self.now(message)

    worker = MemoryWorker(handlers(Refusing(), pool, asyncio.new_event_loop())[name])
    worker.send({})
    worker.run()
    assert [letter.reason for letter in worker.dead_letters] == ["unknown currency"]


def generator(_message: Message) -> Generator[None]:
    yield


async def asynchronous_generator(_message: Message) -> Any:
    yield


class Generating:
    def __call__(self, _message: Message) -> Generator[None]:
        yield


REFUSED: dict[str, Callable[[Message], Any]] = {
    "generator": generator,
    "asynchronous generator": asynchronous_generator,
    "decorated generator": traced(generator),
    "generator object": Generating(),
    "generator expression": lambda message: (each for each in [message]),
    "map": lambda message: map(print, [message]),
    "coroutines in a list": lambda message: [asyncio.sleep(0)],
    "function": lambda message: lambda: None,
    "partial": lambda message: functools.partial(print, message),
    "context manager": contextlib.contextmanager(generator),
    "Lambda's answer": lambda message: {"batchItemFailures": []},
    "thread": lambda message: threading.Thread(target=print),
}


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize("name", REFUSED)
def test_a_handler_whose_work_nobody_would_do_is_refused_and_no_message_pays_for_it(name: str) -> None:
    queue, claims = MemoryQueue([{"id": "1"}], max_receive_count=1), MemoryClaims()
    settings = Settings(worker_name="test", queue_url="memory", receive_wait=0, max_receive_count=1, health_file=None)
    code = run_once(REFUSED[name], queue=queue, claims=claims, idempotency_key="/id", settings=settings)
    assert code == 2
    assert (queue.empty, queue.dead_letters) == (False, [])
    _, seconds = queue.released[0]
    assert seconds <= 2
    assert claims.claim("1", owner="another", seconds=1).state == "granted"


@pytest.mark.parametrize("begin", [lambda: ThreadPool(1), lambda: subprocess.Popen([sys.executable, "-c", ""])])
def test_what_is_still_at_work_is_refused(begin: Callable[[], Any]) -> None:
    with begin() as started:
        work = started.apply_async(print) if isinstance(started, ThreadPool) else started
        assert unfinished(work)


@pytest.mark.parametrize(
    "value", [None, 0, False, "text", b"", {}, {"statusCode": 200}, [], [1], object(), Mock(), iter([1]), ValueError()]
)
def test_any_other_value_is_ignored(value: object) -> None:
    worker = MemoryWorker(lambda _message: value)  # type: ignore[arg-type,return-value]
    worker.send({})
    worker.run()
    assert worker.queue.empty


def test_a_fault_with_some_messages_only_is_a_failure_of_those() -> None:
    def handle(message: Message) -> Any:
        return generator(message) if message.body == "odd" else None

    worker = MemoryWorker(handle, max_receive_count=2)
    worker.send("1")
    worker.run()
    worker.send("odd".join('""'))
    worker.settle()
    (letter,) = worker.dead_letters
    assert letter.detail.startswith("TypeError: The handler returned a generator")


def test_a_test_of_the_handler_sees_why_it_is_refused() -> None:
    worker = MemoryWorker(generator)  # type: ignore[arg-type]
    worker.send({})
    with pytest.raises(TypeError, match="without yield"):
        worker.run()


@pytest.mark.parametrize("handle", [generator, asynchronous_generator, Generating(), functools.partial(generator)])
def test_a_generator_function_is_refused_before_anything_is_received(handle: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="remove its yield"):
        refuse_generators(handle)


def test_a_decorator_may_make_a_handler_of_a_generator_function() -> None:
    @functools.wraps(generator)
    def handle(message: Message) -> None:
        list(generator(message))

    refuse_generators(handle)
    synchronous(handle, seconds=5)(MESSAGE)


# Coroutines and the loop


def test_a_coroutine_that_leaves_by_sys_exit_fails_alone() -> None:
    async def handle(message: Message) -> None:
        if message.body == 0:
            sys.exit(3)
        await asyncio.sleep(0)

    call = synchronous(handle, seconds=5)
    with pytest.raises(SystemExit):
        call(Message(id="0", body=0, raw="0"))
    call(Message(id="1", body=1, raw="1"))


def test_a_task_that_leaves_by_sys_exit_leaves_the_loop_running() -> None:
    async def leave() -> None:
        sys.exit(3)

    async def handle(message: Message) -> None:
        if message.body == 0:
            await asyncio.ensure_future(leave())

    call = synchronous(handle, seconds=5)
    with pytest.raises(SystemExit):
        call(Message(id="0", body=0, raw="0"))
    call(Message(id="1", body=1, raw="1"))


def test_what_a_task_group_raises_is_what_its_tasks_raised() -> None:
    async def refuse() -> None:
        raise PoisonMessage("unknown currency", detail="XXX")

    async def handle(_message: Message) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(refuse())
            group.create_task(refuse())

    worker = MemoryWorker(handle)
    worker.send({})
    worker.run()
    assert [(letter.reason, letter.detail) for letter in worker.dead_letters] == [("unknown currency", "XXX")]


def test_a_group_of_several_kinds_is_a_failure() -> None:
    def handle(_message: Message) -> None:
        raise ExceptionGroup("both", [PoisonMessage("no"), Retry("later")])

    with pytest.raises(ExceptionGroup):
        synchronous(handle, seconds=5)(MESSAGE)


def test_a_suite_of_workers_with_coroutines_has_one_loop() -> None:
    loops: set[asyncio.AbstractEventLoop] = set()

    async def handle(_message: Message) -> None:
        loops.add(asyncio.get_running_loop())

    threads = set()
    for _ in range(5):
        worker = MemoryWorker(handle)
        worker.send({})
        worker.run()
        threads |= {thread for thread in threading.enumerate() if thread.name == "event-loop"}
    assert len(loops) == len(threads) == 1


def test_a_coroutine_that_cleans_up_after_its_limit_has_time_for_it() -> None:
    cleaned: list[bool] = []

    async def handle(_message: Message) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    call = synchronous(handle, seconds=0.01)
    assert call.grace > 0
    assert synchronous(traced(handle), seconds=0.01).grace > 0
    assert synchronous(lambda _message: None, seconds=0.01).grace == 0
    with pytest.raises(TimeoutError):
        call(MESSAGE)
    assert cleaned == [True]
