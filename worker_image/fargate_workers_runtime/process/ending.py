"""The end of a process, which nothing that a handler left running holds up."""

import os
import sys
import threading
import time
from typing import NoReturn

from fargate_workers_runtime.telemetry import logs

#: How long exit functions and what still runs have, in seconds, once the program itself has ended.
_AT_EXIT_SECONDS = 0.7


def end(code: int) -> NoReturn:
    """Leave the program with exit code `code`, as `sys.exit` does; soon after, the process is gone in any case.

    Python waits at its exit for every thread that is not a daemon, for pools and for child processes: for as long as a
    handler that was given up may take. Functions of `atexit` run as usual, within the same time.
    """
    logs.flush(timeout=2)
    # Not by `atexit`, which comes after the wait for threads. `finally` may follow first, and has its time.
    shutting_down = threading.Event()
    threading._register_atexit(shutting_down.set)  # noqa: SLF001  # pyright: ignore
    try:
        threading.Thread(target=_end_for_certain, args=(code, shutting_down), name="exit", daemon=True).start()
    except RuntimeError:  # no thread is to be had, and what a handler left running may never end
        _end_now(code)
    sys.exit(code)


def _end_for_certain(code: int, shutting_down: threading.Event) -> None:
    shutting_down.wait()
    time.sleep(_AT_EXIT_SECONDS)
    _end_now(code)


def _end_now(code: int) -> NoReturn:
    try:
        _kill_children()
    finally:
        os._exit(code)


def _kill_children() -> None:
    """End the processes of `multiprocessing` that nothing will wait for any more."""
    module = sys.modules.get("multiprocessing.process")
    for child in module.active_children() if module else ():
        child.kill()
