"""Several worker processes in one task: Python runs one thread at a time, so each vCPU gets a process of its own.

Each is this program, started anew, so that nothing is shared that was not made for it. They share CONCURRENCY and
REDIS_MAX_CONNECTIONS, which are a task's. One that ends by a crash, by its own wish to be replaced (exit code 1), or
because it has handled its share (0), is started again; one whose settings are wrong (2) ends the task.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from fargate_workers_runtime.backoff import full_jitter
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.settings import number as settings_number
from fargate_workers_runtime.starting import EXIT_SETTINGS
from fargate_workers_runtime.stop_request import StopRequest

_log = logging.getLogger(__name__)

#: Set in a worker process: its number.
PROCESS = "FARGATE_WORKERS_PROCESS"

#: A process that ends badly within so many seconds of its start, so many times in a row, will do so for ever: the task
#: ends, where a deployment's circuit breaker sees it.
_SHORT_LIFE = 10.0
_SHORT_LIVES = 3


def is_wanted(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Whether this process should start workers instead of being one."""
    return PROCESS not in environment and (settings.processes > 1 or settings.max_messages > 0)


def share(environment: Mapping[str, str], settings: Settings, number: int) -> dict[str, str]:
    """The environment of worker process `number`."""
    connections = settings_number(environment, "REDIS_MAX_CONNECTIONS", 10, 1, 10_000)
    handlers, more = divmod(settings.concurrency, settings.processes)
    return {
        **environment,
        PROCESS: str(number),
        "CONCURRENCY": str(max(1, handlers + (number < more))),
        "REDIS_MAX_CONNECTIONS": str(max(1, connections // settings.processes)),
        "HEALTH_FILE": f"{settings.health_file}-{number}",
    }


class Supervisor:
    """Starts worker processes, replaces those that end, and passes the signal to stop on to them.

    Args:
        command: What each process runs. Default: this process's own command.
    """

    def __init__(
        self, settings: Settings, environment: Mapping[str, str], *, command: Sequence[str] | None = None
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._command = command or [sys.executable, *sys.orig_argv[1:]]
        self._stop_request = StopRequest()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._code = 0

    def request_stop(self, why: str) -> None:
        """Ask for the shutdown; safe to call from a signal handler, and any number of times."""
        self._stop_request.make(why)

    def run(self) -> int:
        """Keep the processes running until told to stop; returns the exit code."""
        threads = [
            threading.Thread(target=self._keep_running, args=(number,), name=f"process-{number}", daemon=True)
            for number in range(self._settings.processes)
        ]
        for thread in threads:
            thread.start()
        why = self._stop_request.wait()
        _log.info("stopping_processes", extra={"fields": {"why": why}})
        self._stopping.set()
        with self._lock:
            for child in self._children.values():
                child.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        return self._code

    def _keep_running(self, number: int) -> None:
        short_lives = 0
        while (life := self._live(number)) is not None:
            seconds, code = life
            _log.info("process_ended", extra={"fields": {"process": number, "exit_code": code}})
            if self._stopping.is_set():
                # Ended by the signal itself: it had not begun.
                self._code = self._code or (0 if code in (0, -signal.SIGTERM) else 1)
                return
            short_lives = short_lives + 1 if code != 0 and seconds < _SHORT_LIFE else 0
            if code == EXIT_SETTINGS or short_lives == _SHORT_LIVES:
                self._code = EXIT_SETTINGS if code == EXIT_SETTINGS else 1
                self.request_stop("a process cannot start")
                return
            if code != 0:
                self._stopping.wait(full_jitter(short_lives + 1, base=1, cap=10))

    def _live(self, number: int) -> tuple[float, int] | None:
        """One process from start to end: its seconds and its exit code; None when stopping."""
        with self._lock:
            if self._stopping.is_set():
                return None
            began = time.monotonic()
            child = subprocess.Popen(  # noqa: S603  this very program
                self._command, env=share(self._environment, self._settings, number)
            )
            self._children[number] = child
        code = child.wait()
        with self._lock:
            del self._children[number]
        return time.monotonic() - began, code


def supervise(settings: Settings) -> int:
    """Run the worker processes of this task; returns the exit code."""
    supervisor = Supervisor(settings, os.environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: supervisor.request_stop(signal.Signals(signum).name))
    return supervisor.run()
