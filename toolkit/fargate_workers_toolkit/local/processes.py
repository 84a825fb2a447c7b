"""Processes by their number, and only those that are provably the local environment's."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

START_TOLERANCE_SECONDS = 5
POLL_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that runs now.

    Args:
        command: Its command line.
        started: When it started, in seconds since 1970.
    """

    command: str
    started: float


def look_up(pid: int) -> Process | None:
    """Return the process of a number; None for one that ended, also while its parent has not noticed.

    Args:
        pid: The number.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Process(command=" ".join(process.cmdline()), started=process.create_time())
    except psutil.Error:  # it ended meanwhile, or is another user's
        return None


def end(pid: int, *, within: float) -> None:
    """Send SIGTERM, and SIGKILL if that is not enough.

    Args:
        pid: The process.
        within: How long it may take, in seconds.
    """
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + within
        while look_up(pid) is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                return
            time.sleep(POLL_SECONDS)


def left_behind(containers: Path) -> list[int]:
    """Return the process groups that run although their launcher is gone.

    Process numbers are used again: one counts only if it started when its pid file was written.

    Args:
        containers: The folder below which the pid files are.
    """
    found: list[int] = []
    for file in sorted(containers.glob("**/pid")):
        process = look_up(int(file.read_text()))
        if process is not None and abs(process.started - file.stat().st_mtime) < START_TOLERANCE_SECONDS:
            found.append(int(file.read_text()))
    return found


def end_group(pid: int) -> None:
    """End a process group at once.

    Args:
        pid: The number of the group.
    """
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
