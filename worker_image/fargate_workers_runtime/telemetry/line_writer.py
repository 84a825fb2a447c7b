"""Lines to a stream from a thread of their own, so that a log driver which stops reading never stops the work."""

import io
import os
import queue as queues
import select
import threading
from collections.abc import Callable
from typing import TextIO

#: What may wait while the stream is not read, in bytes; after that, lines are dropped.
MOST_WAITING = 8 * 1024 * 1024

#: Writes up to this size reach a pipe in one piece (POSIX), so that the lines of several processes never mix.
PIPE_BUF = 4096

#: How long the child of a fork waits for a pipe that is full, in seconds, before it drops lines.
_PATIENCE = 1.0


class LineWriter:
    """The writer of lines to a stream: in order, as many at once as a pipe takes in one piece.

    Args:
        stream: Where to. A file's descriptor is written to directly: at exit, Python would wait for the stream's own
            buffer as long as the pipe is full.
        lost: Makes the line that reports how many were dropped, once lines get through again.
        most_waiting: Bytes. Default: 8 MiB.
    """

    def __init__(self, stream: TextIO, *, lost: Callable[[int], str], most_waiting: int | None = None) -> None:
        self._write_out, self._takes_more = _writes_to(stream)
        self._lost = lost
        self._most_waiting = MOST_WAITING if most_waiting is None else most_waiting
        self._begin()
        threading.Thread(target=self._work_off, name="log", daemon=True).start()
        self._at_once = False

    def write_at_once(self) -> None:
        """Begin anew without a thread, in the child of a fork: threads are gone, and what waits is the parent's.

        A child may end without any notice, as those of `multiprocessing` do, so that nothing can be left for later.
        """
        self._begin()
        self._at_once = True

    def _begin(self) -> None:
        # A signal handler may log while its own thread is in `put`: that takes a queue and a lock that let it in twice.
        self._lock = threading.RLock()
        self._queue: queues.SimpleQueue[bytes | threading.Event | None] = queues.SimpleQueue()
        self._waiting = 0
        self._dropped = 0
        self._missed: threading.Event | None = None

    def put(self, line: str) -> None:
        """Write `line`, soon; drop it if too much waits. Never waits itself."""
        data = f"{line}\n".encode(errors="backslashreplace")
        with self._lock:
            if self._at_once:
                # Waited for once: while the stream is not read, the next lines are dropped at once.
                full = not self._takes_more(0 if self._dropped else _PATIENCE)
            else:
                full = self._waiting + len(data) > self._most_waiting
            if full:
                self._dropped += 1
                return
            self._waiting += len(data)
            if self._at_once:
                self._write(data)
                return
        self._queue.put(data)

    def flush(self, timeout: float) -> bool:
        """Wait until everything put so far is written; False if that takes longer than `timeout` seconds.

        It waits once: while what one call waited for in vain is still not written, the next returns at once.
        """
        if self._at_once:
            return True
        if self._missed and not self._missed.is_set():
            return False
        reached = threading.Event()
        self._queue.put(reached)
        in_time = reached.wait(timeout)
        self._missed = None if in_time else reached
        return in_time

    def close(self) -> None:
        """End the thread, after what was put so far."""
        self._queue.put(None)

    def _work_off(self) -> None:
        queue = self._queue
        batch = b""
        while True:
            item = queue.get()
            if batch and (not isinstance(item, bytes) or len(batch) + len(item) > PIPE_BUF):
                self._write(batch)
                batch = b""
            if item is None:
                return
            if isinstance(item, threading.Event):
                item.set()
                continue
            batch += item
            if queue.empty():
                self._write(batch)
                batch = b""

    def _write(self, batch: bytes) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        try:
            if dropped:
                self._write_out(f"{self._lost(dropped)}\n".encode())
                dropped = 0
            self._write_out(batch)
        except (OSError, ValueError):  # the reader is gone, the disk is full, the stream is closed
            dropped += batch.count(b"\n")
        with self._lock:
            self._dropped += dropped
            self._waiting -= len(batch)


def _writes_to(stream: TextIO) -> tuple[Callable[[bytes], object], Callable[[float], bool]]:
    """How to write to `stream`, and whether it takes PIPE_BUF bytes within so many seconds."""
    try:
        descriptor = stream.fileno()
    except io.UnsupportedOperation:
        return (lambda data: stream.write(data.decode())), lambda _seconds: True

    def write(data: bytes) -> None:
        while data:
            data = data[os.write(descriptor, data) :]

    def takes_more(seconds: float) -> bool:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return bool(poll.poll(1000 * seconds))

    return write, takes_more
