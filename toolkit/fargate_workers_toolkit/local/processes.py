"""Processes by their id, and only those that are provably ours."""

import datetime
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

START_TOLERANCE_SECONDS = 5
POLL_SECONDS = 0.05


def command_of(pid: int) -> str:
    """The command line of a running process; empty when there is none."""
    return _ps(pid, "command")


def is_running(pid: int) -> bool:
    """Whether the process exists; one that only waits for its parent to notice its end does not."""
    state = _ps(pid, "stat")
    return bool(state) and not state.startswith("Z")


def end(pid: int, *, within: float) -> None:
    """SIGTERM, and SIGKILL if that is not enough."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + within
        while is_running(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                return
            time.sleep(POLL_SECONDS)


def left_behind(containers: Path) -> list[int]:
    """Process groups of a run whose launcher is gone: those that started when their pid files were written."""
    files = sorted(containers.glob("*/**/pid"))
    return [int(file.read_text()) for file in files if _started_with(file)]


def end_group(pid: int) -> None:
    """Ends a process group at once."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _started_with(file: Path) -> bool:
    """Process numbers are used again; the time of the start tells whose this one is."""
    started = _ps(int(file.read_text()), "lstart")
    if not started:
        return False
    moment = datetime.datetime.strptime(started, "%a %b %d %H:%M:%S %Y").astimezone()
    return abs(moment.timestamp() - file.stat().st_mtime) < START_TOLERANCE_SECONDS


def _ps(pid: int, column: str) -> str:
    """One column of `ps`, which Linux and macOS share."""
    result = subprocess.run(  # noqa: S603
        ["ps", "-p", str(pid), "-o", f"{column}="],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )
    return result.stdout.strip()
