"""Steps: a call that waits without a thread."""

from collections.abc import Generator
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

#: A call that yields each future whose result it asks for next. A thread that goes on when that is done waits for
#: nothing; one that goes on sooner waits for the result.
Steps = Generator[Future[Any], None, Result]


def finish(steps: Steps[Result]) -> Result:
    """Take all of `steps` in this thread; returns their result."""
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value
