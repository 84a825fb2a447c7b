"""What was received and has not been handled yet, in the order in which it may begin."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from fargate_workers_runtime.leases import Lease
from fargate_workers_runtime.message import Message


@dataclass(eq=False, kw_only=True)
class Work:
    """A message that passed the gate, and the lease on it."""

    message: Message
    lease: Lease


@dataclass(eq=False, kw_only=True)
class Line:
    """Works that begin one after the other: those of one FIFO group, or a single one."""

    group_id: str | None = None
    waiting: deque[Work] = field(default_factory=deque[Work])


class Inbox:
    """Lines that wait for a handler, and the count of all messages held.

    A FIFO group at work is one line: each of its messages begins when the one before it has ended.

    Args:
        ask_for: How many more messages to ask for, given how many are held.
    """

    def __init__(self, *, fifo: bool, ask_for: Callable[[int], int]) -> None:
        self._fifo = fifo
        self._ask_for = ask_for
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._empty = threading.Condition(self._lock)
        self._asking = 0  # who waits for room
        self._taken = 0  # messages received and not yet handled
        self._reserved = 0  # messages asked for
        self._closed = False
        self._groups: dict[str, Line] = {}
        # SimpleQueue is written in C: handlers wait here without taking a lock of ours.
        self._lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()

    @property
    def taken(self) -> int:
        """Messages received and not yet handled."""
        return self._taken

    def reserve(self, *, seconds: float) -> int:
        """Room for as many messages as may be asked for; 0 if none may for so many seconds, or when closed.

        Whoever reserved ends the reservation, once what came is put in.
        """
        with self._room:
            self._asking += 1
            self._room.wait_for(lambda: self._closed or self._may_ask_for() > 0, seconds)
            self._asking -= 1
            reserved = 0 if self._closed else self._may_ask_for()
            self._reserved += reserved
            return reserved

    def end_reservation(self, reserved: int) -> None:
        """The poll has ended."""
        with self._lock:
            self._reserved -= reserved
            self._tell()

    def end(self) -> None:
        """A message has been handled, or handed back."""
        with self._lock:
            self._taken -= 1
            self._tell()

    def _may_ask_for(self) -> int:
        return self._ask_for(self._taken + self._reserved)

    def _tell(self) -> None:
        # Once for each message handled, so nobody is woken to find that there is still no room.
        if self._asking and self._may_ask_for() > 0:
            self._room.notify()
        if self._taken == 0:
            self._empty.notify_all()

    def put(self, work: Work) -> None:
        """Let `work` wait for a handler, or for the message before it in its group."""
        group_id = work.message.group_id if self._fifo else None
        with self._lock:
            self._taken += 1
            if group_id is not None and group_id in self._groups:
                self._groups[group_id].waiting.append(work)
                return
            line = Line(group_id=group_id, waiting=deque([work]))
            if group_id is not None:
                self._groups[group_id] = line
        self._lines.put(line)

    def next_line(self) -> Line | None:
        """Wait for a line to work off; None tells the handler to end."""
        return self._lines.get()

    def waiting_line(self) -> Line | None:
        """A line that no handler has begun; None if there is none."""
        try:
            return self._lines.get_nowait()
        except queue.Empty:
            return None

    def next_in(self, line: Line) -> Work | None:
        """The next work of `line`; None ends the line."""
        with self._lock:
            if line.waiting:
                return line.waiting.popleft()
            if line.group_id is not None:
                del self._groups[line.group_id]
            return None

    def close(self) -> None:
        """Reserve no more."""
        with self._room:
            self._closed = True
            self._room.notify_all()

    def wait_until_empty(self, seconds: float | None = None) -> bool:
        """Wait until everything received is handled; False if something is not after so many seconds."""
        with self._empty:
            return self._empty.wait_for(lambda: self._taken == 0, seconds)

    def dismiss(self, handlers: int) -> None:
        """Let so many handlers end."""
        for _ in range(handlers):
            self._lines.put(None)
