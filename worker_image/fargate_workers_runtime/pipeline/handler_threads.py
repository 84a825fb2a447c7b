"""The threads in which attempts begin and end.

A function keeps its thread until it returns, so each may need one. A coroutine needs one to begin and one to end, for
the requests before and after it: a few serve thousands that wait.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from fargate_workers_runtime.handlers import Steps
from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work

_log = logging.getLogger(__name__)

Outcome = TypeVar("Outcome")

#: Threads that begin coroutines, at first, and threads that end them.
_FEW_TO_BEGIN, _FEW_TO_END = 16, 4

#: How long a coroutine's end may wait for a thread, in seconds, until there are more.
_LATE = 0.5

_Attempt = tuple[Line, Work, Steps[Any]]


class HandlerThreads:
    """The threads that take lines out of `inbox`, and those that go on with attempts whose coroutine has ended.

    Those are threads of their own, because a line that begins may have to wait until another ends.

    Args:
        begin: Makes the steps of an attempt.
        carry_out: Carries out what an attempt came to; whether its line goes on.
        failed: Called with the line and the work of an attempt that broke.
        most: Attempts at once, and threads of each kind.
        asynchronous: Whether handlers are known to need no thread while they wait.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        begin: Callable[[Line, Work], Steps[Outcome]],
        carry_out: Callable[[Outcome, Line, Work], bool],
        failed: Callable[[Line, Work], None],
        most: int,
        asynchronous: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inbox = inbox
        self._begin: Callable[[Line, Work], Steps[Any]] = begin
        self._carry_out: Callable[[Any, Line, Work], bool] = carry_out
        self._failed = failed
        self._most = most
        self._at_first = min(most, _FEW_TO_BEGIN) if asynchronous else most
        self._clock = clock
        self._beginning = 0  # threads of each kind
        self._ending = 0
        self._lines_begun = 0  # at the last look
        self._changed = threading.Condition()
        self._waiting: set[_Attempt] = set()  # nothing else need refer to them
        self._due: deque[tuple[float, _Attempt]] = deque()
        self._idle = 0
        self._stopped = False

    def start(self) -> None:
        """Begin with what is in the inbox."""
        for _ in range(self._at_first):
            self._start_beginning()

    def stop(self) -> None:
        """Let threads that have nothing to do end; those that begin end with the inbox."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def idle(self) -> int:
        """Threads that wait for an attempt to end."""
        return self._idle

    def look(self) -> None:
        """Start further threads if all wait for something, such as a store that does not answer."""
        lines, begun = self._inbox.unserved
        if begun - self._lines_begun < self._beginning:  # not each has begun one since the last look
            for _ in range(min(lines, self._most - self._beginning)):
                self._start_beginning()
        self._lines_begun = begun
        with self._changed:
            late = sum(since < self._clock() - _LATE for since, _ in self._due)
            for _ in range(min(late, self._most - self._ending)):
                self._start_ending()

    def _start_beginning(self) -> None:
        threading.Thread(target=self._work, name=f"handler-{self._beginning}", daemon=True).start()
        self._beginning += 1

    def _start_ending(self) -> None:
        threading.Thread(target=self._end, name=f"handler-end-{self._ending}", daemon=True).start()
        self._ending += 1

    def _work(self) -> None:
        line: Line | None = None
        waited = True
        while (found := self._inbox.next(line, waited=waited)) is not None:
            line, work = found
            if not self._go_on((line, work, self._begin(line, work))):
                line = None
            waited = work.waited

    def _end(self) -> None:
        while (attempt := self._next_due()) is not None:
            if self._go_on(attempt):
                self._inbox.leave(attempt[0])

    def _go_on(self, attempt: _Attempt) -> bool:
        """Go on with an attempt until it waits or has ended; whether its line goes on now."""
        line, work, steps = attempt
        try:
            awaited = next(steps)
        except StopIteration as end:
            return self._ended(line, work, end.value)
        except BaseException:  # a thread is never replaced, so it outlives every error
            return self._broken(line, work)
        with self._changed:
            self._waiting.add(attempt)
        awaited.add_done_callback(lambda _: self._put(attempt))
        return False

    def _ended(self, line: Line, work: Work, outcome: object) -> bool:
        try:
            goes_on = self._carry_out(outcome, line, work)
        except BaseException:
            return self._broken(line, work)
        if not goes_on:
            self._inbox.leave()
        return goes_on

    def _broken(self, line: Line, work: Work) -> bool:
        _log.exception("handler_thread_failed")
        self._failed(line, work)
        return True

    def _put(self, attempt: _Attempt) -> None:
        """Called where the awaited ends: on the event loop, mostly."""
        with self._changed:
            self._waiting.discard(attempt)
            self._due.append((self._clock(), attempt))
            if self._idle >= len(self._due):  # one that was woken, and has not looked yet, has its own to go on with
                self._changed.notify()
            elif self._ending < min(self._most, _FEW_TO_END):
                self._start_ending()

    def _next_due(self) -> _Attempt | None:
        with self._changed:
            while not self._due:
                if self._stopped:
                    self._ending -= 1
                    return None
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return self._due.popleft()[1]
