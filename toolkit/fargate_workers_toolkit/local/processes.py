"""Processes by their id, and only those that are provably ours."""

import datetime
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

START_TOLERANCE_SECONDS = 5
POLL_SECONDS = 0.05
PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that runs now."""

    command: str
    started: float


def look_up(pid: int) -> Process | None:
    """The process of that number; None for one that ended, also while its parent has not noticed."""
    return _look_in_proc(pid) if (PROC / "self").exists() else _ask_ps(pid)


def end(pid: int, *, within: float) -> None:
    """SIGTERM, and SIGKILL if that is not enough."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + within
        while look_up(pid) is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                return
            time.sleep(POLL_SECONDS)


def left_behind(containers: Path) -> list[int]:
    """Process groups that run although their launcher is gone.

    Process numbers are used again: one counts only if it started when its pid file was written.
    """
    found: list[int] = []
    for file in sorted(containers.glob("**/pid")):
        process = look_up(int(file.read_text()))
        if process is not None and abs(process.started - file.stat().st_mtime) < START_TOLERANCE_SECONDS:
            found.append(int(file.read_text()))
    return found


def end_group(pid: int) -> None:
    """Ends a process group at once."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _look_in_proc(pid: int) -> Process | None:
    """Linux, where a small image may have no `ps`."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    booted = next(line for line in (PROC / "stat").read_text().splitlines() if line.startswith("btime"))
    started = int(booted.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return Process(command=command, started=started)


def _ask_ps(pid: int) -> Process | None:
    """macOS."""
    result = subprocess.run(  # noqa: S603
        ["ps", "-p", str(pid), "-o", "stat=,lstart=,command="],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
    )
    state, _, rest = result.stdout.strip().partition(" ")
    if not rest or state.startswith("Z"):
        return None
    words = rest.split()
    moment = datetime.datetime.strptime(" ".join(words[:5]), "%a %b %d %H:%M:%S %Y").astimezone()
    return Process(command=" ".join(words[5:]), started=moment.timestamp())
