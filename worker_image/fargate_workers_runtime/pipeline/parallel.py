"""One action on many things at once."""

import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_parallel(action: Callable[[T], None], items: Iterable[T], *, threads: int) -> None:
    """Call `action`, which must not raise, with each item, so many at a time; return when all have ended."""
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while True:
            try:
                item = waiting.get_nowait()
            except queue.Empty:
                return
            action(item)

    # Not an executor: Python joins an executor's threads at exit, and one that waits for an answer would hold it up.
    others: list[threading.Thread] = []
    for _ in range(min(threads, waiting.qsize()) - 1):
        thread = threading.Thread(target=work, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread is to be had just now; this one does it all
            break
        others.append(thread)
    work()
    for thread in others:
        thread.join()
