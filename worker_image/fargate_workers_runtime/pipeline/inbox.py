"""The messages received and not handled yet, in the order in which they may begin."""

import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from fargate_workers_runtime.message import Message
from fargate_workers_runtime.pipeline.leases import Lease

#: While messages wait for a handler, room for more is looked for at each end of so many: a look costs more than an end.
_ENDS = 8


@dataclass(eq=False, kw_only=True, slots=True)
class Work:
    """A delivery, and what the gate made of it: a message, or the reason why there is none.

    Attributes:
        message: None if it may not pass, or there is nothing in it to handle.
        refusal: What the gate raised.
        error: What its last attempt in hand raised.
        failures: How many there were.
        alone_for: For how many deaths it runs alone.
        ended: It is counted as handled.
        waited: Its attempt may have waited for something, such as an answer.
    """

    lease: Lease
    message: Message | None = None
    refusal: BaseException | None = None
    error: BaseException | None = None
    failures: int = 0
    alone_for: int = 0
    ended: bool = False
    waited: bool = True


@dataclass(eq=False, kw_only=True, slots=True)
class Line:
    """Works that begin one after the other: those of one group whose order holds, or a single one.

    Attributes:
        due_at: When the first may begin, by the monotonic clock, while the line is parked.
        number: How many lines had a slot before it, and it.
    """

    group_id: str | None = None
    waiting: deque[Work] = field(default_factory=deque[Work])
    due_at: float = 0.0
    number: int = 0


class Inbox:
    """Lines that wait for a handler, and the count of all messages held.

    A group at work whose order holds is one line: each of its messages begins when the one before it has ended. A line
    that is parked waits for something else than a handler, and takes no room from what could begin.

    A line has a slot from when a thread takes it until its attempt has ended, also while that waits without a thread.

    A thread that has nothing to do is woken for the first line, and wakes the next thread before it begins. So handlers
    that wait for something run side by side. Of those that do not, Python runs one at once: a second thread would
    change places with the first at each lock that both ask for, which takes longer than a quick handler. So a thread
    whose handler waited for nothing stands back while others begin lines, and looks now and then whether they still do.

    Args:
        ordered: The messages of a group begin in order.
        ask_for: How many more messages to ask for, given how many are held.
        slots: Lines that may have a slot at once. Default: as many as there are threads.
        glance: Seconds between two looks of a thread that stands back. Default: 0.005, for which Python lets a thread
            run that computes.
    """

    def __init__(
        self, *, ordered: bool, ask_for: Callable[[int], int], slots: int = sys.maxsize, glance: float = 0.005
    ) -> None:
        self._ordered = ordered
        self._slots = slots
        self._glance = glance
        self._ask_for = ask_for
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._empty = threading.Condition(self._lock)
        self._work = threading.Condition(self._lock)
        self._asking = 0  # threads that wait for room
        self._taken = 0  # messages received and not yet handled
        self._reserved = 0  # messages asked for
        self._awaited = False  # a thread waits for fewer messages, not only for none
        self._closed = False
        self._groups: dict[str, Line] = {}
        self._parked: set[Line] = set()
        self._ready: deque[Line] = deque()
        self._at_work = 0  # lines that have a slot
        self._taken_lines = 0  # how many ever had one
        self._idle = 0  # threads that wait for a line
        self._waking = False  # one of them has been woken, and has not looked yet
        self._watched = False  # one of them looks now and then whether the others begin lines
        self._dismissed = False

    @property
    def taken(self) -> int:
        """Messages received and not yet handled."""
        return self._taken

    @property
    def wanting(self) -> int:
        """Those of them that wait for a handler, or have one."""
        with self._lock:
            return self._taken - self._in_parked

    @property
    def parked(self) -> int:
        """The lines that wait without a handler, because their first message is tried again later."""
        return len(self._parked)

    @property
    def unbegun(self) -> bool:
        """Whether a line waits for a handler."""
        return bool(self._ready)

    def reserve(self, *, seconds: float) -> int:
        """Room for as many messages as may be asked for; 0 if none may for so many seconds, or when closed.

        The caller ends the reservation, once what came is put in.
        """
        with self._room:
            self._asking += 1
            self._room.wait_for(lambda: self._closed or self._may_ask_for() > 0, seconds)
            self._asking -= 1
            reserved = 0 if self._closed else self._may_ask_for()
            self._reserved += reserved
            return reserved

    def end_reservation(self, reserved: int) -> None:
        """End a reservation, because its poll has ended."""
        with self._lock:
            self._reserved -= reserved
            self._tell()

    def end(self, work: Work) -> None:
        """Count a message as handled, or released; once is enough."""
        with self._lock:
            if not work.ended:
                work.ended = True
                self._taken -= 1
                self._tell()

    @property
    def _in_parked(self) -> int:
        return sum(len(line.waiting) for line in self._parked) if self._parked else 0

    def _may_ask_for(self) -> int:
        return self._ask_for(self._taken - self._in_parked + self._reserved)

    def _tell(self) -> None:
        # No thread is woken to find that there is still no room.
        looks = self._asking and not (self._ready and self._taken % _ENDS)
        if looks and self._may_ask_for() > 0:
            self._room.notify()
        if self._taken == 0 or self._awaited:
            self._empty.notify_all()

    def put(self, *works: Work) -> None:
        """Let each of `works` wait for a handler, or for the message before it in its group."""
        with self._lock:
            self._taken += len(works)
            for work in works:
                group_id = work.lease.delivery.group_id if self._ordered else None
                if group_id is not None and group_id in self._groups:
                    self._groups[group_id].waiting.append(work)
                    continue
                line = Line(group_id=group_id, waiting=deque([work]))
                if group_id is not None:
                    self._groups[group_id] = line
                self._ready.append(line)
            self._wake()

    def next(self, line: Line | None = None, *, waited: bool = True) -> tuple[Line, Work] | None:
        """The next work of `line`, and when that has ended, of a line that is waited for; None ends the thread.

        Args:
            waited: The attempt that has ended may have waited for something. Default: True.
        """
        with self._lock:
            while line is None or not line.waiting:
                if line is not None:
                    self._drop(line)
                    self._at_work -= 1
                    if not waited and self._taken_lines > line.number:
                        self._stand_back()
                line = self._next_line()
                if line is None:
                    return None
            return line, line.waiting.popleft()

    def _next_line(self) -> Line | None:
        while not self._may_begin:
            if self._dismissed:
                return None
            self._wait()
            self._leave_to_others()
        line = self._ready.popleft()
        self._at_work += 1
        self._taken_lines += 1
        line.number = self._taken_lines
        self._wake()
        return line

    def _stand_back(self) -> None:
        """Leave the lines to the others at work, as long as those begin some."""
        if self._watched:
            self._leave_to_others()
            return
        begun = -1
        while self._may_begin and self._at_work and self._taken_lines > begun and not self._dismissed:
            begun = self._taken_lines
            self._watched = True
            self._wait(self._glance)
            self._watched = False

    def _leave_to_others(self) -> None:
        """Wait while a thread that stands back sees others begin lines."""
        while self._watched and self._at_work and self._may_begin and not self._dismissed:
            self._wait()

    def _wait(self, seconds: float | None = None) -> None:
        self._idle += 1
        self._work.wait(seconds)
        self._idle -= 1
        self._waking = False

    @property
    def _may_begin(self) -> bool:
        return bool(self._ready) and self._at_work < self._slots

    def leave(self, line: Line | None = None) -> None:
        """End the slot of a line whose attempt has ended; `line` goes on in the next one."""
        with self._lock:
            self._at_work -= 1
            if line is not None and line.waiting:
                self._ready.appendleft(line)
            elif line is not None:
                self._drop(line)
            self._wake()

    @property
    def unserved(self) -> tuple[int, int]:
        """How many lines could begin if they had a thread, and how many lines have begun since the inbox is there."""
        with self._lock:
            lines = 0 if self._idle else min(len(self._ready), self._slots - self._at_work)
            return max(0, lines), self._taken_lines

    def _let_begin(self, line: Line) -> None:
        self._ready.append(line)
        self._wake()

    def _wake(self) -> None:
        if self._may_begin and self._idle and not self._waking and not (self._watched and self._at_work):
            self._waking = True
            self._work.notify()

    def park(self, line: Line, first: Work | None = None, *, most: float = float("inf")) -> bool:
        """Let `line` wait until it is resumed, with `first` in front of it.

        False, and nothing is changed, when closed, or if more than `most` messages would be parked.
        """
        with self._lock:
            if self._closed or self._in_parked + len(line.waiting) + (first is not None) > most:
                return False
            if first is not None:
                line.waiting.appendleft(first)
            self._parked.add(line)
            self._tell()
            return True

    def resume(self, line: Line) -> None:
        """Let a parked line wait for a handler."""
        with self._lock:
            if line not in self._parked:
                return
            self._parked.remove(line)
            self._let_begin(line)

    def take_back(self, line: Line) -> list[Work]:
        """What waits in `line`, which is empty then."""
        with self._lock:
            works = list(line.waiting)
            line.waiting.clear()
            return works

    def take_back_ready(self, *, unless: Callable[[Work], bool]) -> list[Work]:
        """What is in lines that wait for a handler, but for lines with a work that stays."""
        with self._lock:
            return [work for work, _ in self._empty_out(self._take_ready(), unless)]

    def take_back_all(self, *, unless: Callable[[Work], bool]) -> list[tuple[Work, float]]:
        """What no handler has begun, in the order of its groups, and when each may begin; but for lines as above.

        No line that is parked stays: its first has been attempted.
        """
        with self._lock:
            parked = [*self._parked]
            self._parked.clear()
            works = self._empty_out(parked, lambda _work: False)
            works += self._empty_out(self._take_ready(), unless)
            for line in self._groups.values():  # at work, or just put back
                if not any(unless(work) for work in line.waiting):
                    works += [(work, 0.0) for work in line.waiting]
                    line.waiting.clear()
            return works

    def _empty_out(self, lines: list[Line], unless: Callable[[Work], bool]) -> list[tuple[Work, float]]:
        works: list[tuple[Work, float]] = []
        for line in lines:
            if any(unless(work) for work in line.waiting):
                self._let_begin(line)
                continue
            works += [(work, 0.0 if place else line.due_at) for place, work in enumerate(line.waiting)]
            line.waiting.clear()
            self._drop(line)  # no handler will come to end it
        return works

    def _take_ready(self) -> list[Line]:
        lines = list(self._ready)
        self._ready.clear()
        return lines

    def _drop(self, line: Line) -> None:
        if line.group_id is not None and self._groups.get(line.group_id) is line:
            del self._groups[line.group_id]

    def close(self) -> None:
        """Reserve no more."""
        with self._room:
            self._closed = True
            self._room.notify_all()

    def wait_until_empty(self, seconds: float | None = None) -> bool:
        """Wait until everything received is handled; False if something is not after so many seconds."""
        with self._empty:
            return self._empty.wait_for(lambda: self._taken == 0, seconds)

    def wait_until_alone(self, line: Line, seconds: float) -> None:
        """Wait until nothing but `line`, at work, and what is parked is left; or for so many seconds."""
        with self._empty:
            self._awaited = True
            self._empty.wait_for(lambda: self._taken - self._in_parked <= 1 + len(line.waiting), seconds)
            self._awaited = False

    def dismiss(self) -> None:
        """Let the handlers' threads end."""
        with self._lock:
            self._dismissed = True
            self._work.notify_all()
