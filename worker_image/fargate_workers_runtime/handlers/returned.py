"""What a handler returns: usually nothing, and sometimes work that is not done yet."""

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import AsyncContextDecorator, ContextDecorator
from functools import partial
from typing import Any, cast

from fargate_workers_runtime.errors import HandlerRefused
from fargate_workers_runtime.handlers.steps import Steps, finish


def resolve(value: object, *, wait: Callable[[Awaitable[Any]], object]) -> None:
    """Finish the work that a handler returned: an awaitable is run by `wait`, a Future is waited for.

    Raises:
        HandlerRefused: It stands for work that only its author could do.
    """

    def run(work: Awaitable[Any]) -> Steps[object]:
        yield from ()
        return wait(work)

    finish(resolving(value, run=run))


def resolving(value: object, *, run: Callable[[Awaitable[Any]], Steps[object]]) -> Steps[None]:
    """The steps in which the work that a handler returned is finished: `run` has those of an awaitable.

    Raises:
        HandlerRefused: It stands for work that only its author could do.
    """
    while value is not None:
        if inspect.isawaitable(value):
            value = yield from run(value)
        elif isinstance(value, Future):
            yield value
            value = cast("Future[object]", value).result()
        elif fault := unfinished(value):
            raise HandlerRefused(f"The handler returned {fault}; nothing was acknowledged.")
        else:
            return


def unfinished(value: object) -> str | None:
    """What is wrong with `value` as the answer of a handler, and the remedy; None if nothing is."""
    kind = type(value).__name__
    if isinstance(value, Generator | AsyncGenerator | map | filter | zip):
        return f"a {kind}, which does nothing until somebody iterates over it: do the work, without yield"
    if inspect.isroutine(value) or isinstance(value, partial):
        return "a function that nobody calls: a decorator lacks its parentheses, or the handler its call"
    if isinstance(value, ContextDecorator | AsyncContextDecorator):
        return "a context manager that nobody enters: enter it in the handler"
    if _has(value, "is_alive", "join") or _has(value, "ready", "wait") or _has(value, "poll", "wait"):
        return f"a {kind} that may be at work: wait for its end in the handler"
    if _has(value, "add_done_callback", "result"):
        return f"a {kind} that may be at work: wait for its result in the handler"
    if isinstance(value, Mapping) and "batchItemFailures" in value:
        return "batchItemFailures, the answer of a Lambda function: raise an exception for a message that failed"
    if isinstance(value, list | tuple | set | frozenset):
        inside = cast("list[object]", value)
        if any(inspect.isawaitable(each) or isinstance(each, Future) or unfinished(each) for each in inside):
            return f"a {kind} of work that may not be done: wait for each in the handler, or for asyncio.gather of them"
    return None


def _has(value: object, *methods: str) -> bool:
    # Looked up at the type: a mock has every attribute that is looked up.
    return all(callable(getattr(type(value), method, None)) for method in methods)
