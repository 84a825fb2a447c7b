"""Steps: a call that waits without a thread."""

from collections.abc import Generator
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

#: A call that yields each future whose result it asks for next. Whoever goes on when that is done waits for nothing,
#: in whatever thread; whoever goes on sooner waits in its own.
Steps = Generator[Future[Any], None, Result]


def finish(steps: Steps[Result]) -> Result:
    """Take all of `steps` in this thread; returns their result."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value
