"""The clock of the processes that the fault tests run: the machine's, and ahead of it by what a file says.

A test lets time pass by writing the file, and need not wait until a lease ends; nor does a slow machine let one end.
"""

import os
import time
from pathlib import Path

_monotonic, _time = time.monotonic, time.time
_file: Path | None = None


def install() -> None:
    """Replace the clock, in a process that has imported nothing yet that keeps it."""
    time.monotonic = lambda: _monotonic() + _ahead()
    time.time = lambda: _time() + _ahead()


def follow(folder: Path) -> None:
    """Be ahead by what the processes of this folder are ahead by."""
    global _file  # noqa: PLW0603  one clock in a process
    _file = folder / "ahead"


def advance(folder: Path, seconds: float) -> None:
    """Let so many seconds pass for the processes of a folder, those that start later included."""
    file, new = folder / "ahead", folder / f"ahead.{os.getpid()}"
    new.write_text(str(_read(file) + seconds))
    new.replace(file)  # at once: a reader sees the old number or the new one


def _ahead() -> float:
    return _read(_file) if _file else 0.0


def _read(file: Path) -> float:
    try:
        return float(file.read_text())
    except FileNotFoundError:
        return 0.0
