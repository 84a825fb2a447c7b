"""Several worker processes in one task: Python runs one thread at a time, so each vCPU gets a process of its own.

Each is this program, started anew, so that nothing is shared that was not made for it. They share CONCURRENCY,
REDIS_MAX_CONNECTIONS and BROKER_REDIS_MAX_CONNECTIONS, which are a task's. One that ends by a crash, to be replaced
(exit code 1), or because it has handled its share (0), is started again; one with wrong settings (2) ends the task.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence

from fargate_workers_runtime.pipeline import full_jitter
from fargate_workers_runtime.process.starting import EXIT_FAILED, EXIT_WRONG
from fargate_workers_runtime.process.stop_request import StopRequest
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.settings import number as settings_number
from fargate_workers_runtime.signals import on_stop

_log = logging.getLogger(__name__)

#: Set in a worker process: its number.
PROCESS = "FARGATE_WORKERS_PROCESS"

#: The end of a pipe that a worker process holds, the other end of which is closed when its supervisor is gone.
_LIFELINE = "FARGATE_WORKERS_LIFELINE"

#: A process that ends badly within so many seconds of its start, so many times in a row, will do so again: the task
#: ends, where a deployment's circuit breaker sees it.
_SHORT_LIFE = 10.0
_SHORT_LIVES = 3


def is_wanted(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Whether this process should start workers instead of being one."""
    return PROCESS not in environment and (settings.processes > 1 or settings.max_messages > 0)


def share(environment: Mapping[str, str], settings: Settings, number: int) -> dict[str, str]:
    """The environment of worker process `number`."""

    def connections(name: str, least: int) -> dict[str, str]:
        return {name: str(max(least, settings_number(environment, name, 10, least, 10_000) // settings.processes))}

    # One of the broker's waits for messages, and the others must not wait for it.
    of_broker = connections("BROKER_REDIS_MAX_CONNECTIONS", 2) if environment.get("BROKER_REDIS_HOST") else {}
    handlers, more = divmod(settings.concurrency, settings.processes)
    return {
        **environment,
        PROCESS: str(number),
        "CONCURRENCY": str(max(1, handlers + (number < more))),
        **connections("REDIS_MAX_CONNECTIONS", 1),
        **of_broker,
        "HEALTH_FILE": f"{settings.health_file}-{number}",
    }


class Supervisor:
    """The parent of the worker processes: it replaces those that end, and passes the signal to stop on to them.

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
        """Keep the processes running until the request to stop; returns the exit code."""
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
            if code == EXIT_WRONG or short_lives == _SHORT_LIVES:
                self._code = EXIT_WRONG if code == EXIT_WRONG else EXIT_FAILED
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
            try:
                child, lifeline = self._start(number)
            except OSError:  # no memory or no process is to be had just now
                _log.exception("process_not_started")
                return 0.0, EXIT_FAILED
            self._children[number] = child
        code = child.wait()
        os.close(lifeline)
        with self._lock:
            del self._children[number]
        return time.monotonic() - began, code

    def _start(self, number: int) -> tuple["subprocess.Popen[bytes]", int]:
        """A process, and the supervisor's end of its lifeline."""
        theirs, ours = os.pipe()
        environment = {**share(self._environment, self._settings, number), _LIFELINE: str(theirs)}
        try:
            return subprocess.Popen(self._command, env=environment, pass_fds=[theirs]), ours  # noqa: S603  this program
        except OSError:
            os.close(ours)
            raise
        finally:
            os.close(theirs)


def supervise(settings: Settings) -> int:
    """Run the worker processes of this task; returns the exit code."""
    supervisor = Supervisor(settings, os.environ)
    on_stop(supervisor.request_stop)
    return supervisor.run()


def end_with_parent(environment: MutableMapping[str, str], stop: Callable[[str], None]) -> None:
    """In a worker process, call `stop` when its supervisor is gone, by SIGKILL too, which no signal would announce."""
    if not (descriptor := environment.pop(_LIFELINE, None)):
        return

    def wait() -> None:
        try:
            os.read(int(descriptor), 1)  # nothing is ever written: it returns when the other end is closed
        except OSError:
            return  # started by hand in such a process's environment, without its pipe
        stop("its supervisor is gone")

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
