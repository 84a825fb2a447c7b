"""The container's health: a file that the receive loop touches, and the command that looks at it.

    python -m fargate_workers_runtime.health

exits 0 if the file HEALTH_FILE (default /tmp/healthy) is fresh, and 3 with a sentence if not: a code that neither
Python nor a shell gives by itself. With several processes each has a file of its own, and all must be fresh. It
imports next to nothing: it runs every 30 seconds, on the worker's CPU.
"""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

#: A live loop touches the file after each poll of at most 20 s, or each second while all handlers are busy. Two
#: minutes without are a loop that has stopped, or a queue that has not answered three requests in a row.
MAX_AGE_SECONDS = 120.0

EXIT_UNHEALTHY = 3


class Heartbeat:
    """The health file, touched at most once a second; without a path, none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._touched = float("-inf")

    def beat(self) -> None:
        now = time.monotonic()
        if self._path and now - self._touched >= 1:
            self._touched = now
            with suppress(OSError):  # a full disk must not end the loop; the file grows old, which shows it
                self._path.touch()


def fault(path: Path, *, now: float) -> str | None:
    """The fault of a health file, as one sentence; None if it is fresh."""
    try:
        age = now - path.stat().st_mtime
    except FileNotFoundError:
        return f"{path} does not exist: the worker has not polled its queue yet."
    if age > MAX_AGE_SECONDS:
        return f"{path} is {age:.0f} s old: the worker has stopped polling its queue, or the queue does not answer."
    return None


def files(environment: Mapping[str, str]) -> list[Path]:
    """The file of each worker process; supervisor.py gives each its own."""
    path = environment.get("HEALTH_FILE") or "/tmp/healthy"  # noqa: S108  the task's only writable place
    processes = int(environment.get("PROCESSES") or 1)
    if processes == 1 and int(environment.get("MAX_MESSAGES_PER_PROCESS") or 0) == 0:
        return [Path(path)]
    return [Path(f"{path}-{number}") for number in range(processes)]


if __name__ == "__main__":
    said: str | None = next(filter(None, (fault(path, now=time.time()) for path in files(os.environ))), None)
    if said:
        print(said, file=sys.stderr)  # noqa: T201  a command's answer
        sys.exit(EXIT_UNHEALTHY)
