"""A local process that stands in for a container."""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fargate_workers_toolkit.local.emulator.processes.reaper import Reaper

LOG_POLL_SECONDS = 0.05
QUIT_SECONDS = 5


class LocalProcess:
    """A process group with a folder of its own, in which `log` and `pid` lie.

    Args:
        arguments: The program and its arguments.
        directory: The folder.
        environment: The variables.
        cwd: The folder that it runs in.
        reaper: Ends it when the launcher is gone.
        user: The user that it runs as, for programs that refuse root. Defaults to this process's own.
        quits: Whether SIGQUIT ends it at once, and its own processes with it. Defaults to False.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        cwd: Path,
        reaper: Reaper,
        user: str | None = None,
        quits: bool = False,
    ) -> None:
        self.directory = directory
        self.log = directory / "log"
        self._reaper = reaper
        self._quits = quits
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                arguments,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
            )
        self.pid = self._process.pid
        self._ended = False
        reaper.watch(self.pid)
        (directory / "pid").write_text(str(self.pid))

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """The code that a container reports: 137 where signal 9 ended the process. None while it runs."""
        code = self._process.poll()
        return None if code is None else (128 - code if code < 0 else code)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; return its exit code."""
        self._process.wait(timeout)
        self._end_group()
        return self.exit_code or 0

    def stop(self, *, timeout: float) -> int:
        """Send SIGTERM to the process, as a container's init receives it, and SIGKILL to the group after the timeout.

        Args:
            timeout: In seconds.

        Returns:
            The exit code.
        """
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self.wait()

    def kill(self) -> int:
        """End it at once; return its exit code."""
        if self._quits:
            self._process.send_signal(signal.SIGQUIT)
            with suppress(subprocess.TimeoutExpired):
                return self.wait(QUIT_SECONDS)
        self._process.kill()
        return self.wait()

    def lines(self, *, follow: bool) -> Iterator[bytes]:
        """Yield what the process wrote, line by line.

        Args:
            follow: Whether to go on until it ends.
        """
        with self.log.open("rb") as log:
            rest = b""
            while True:
                running = self.is_running
                rest += log.read()
                *whole, rest = rest.split(b"\n")
                yield from whole
                if not (follow and running):
                    break
                time.sleep(LOG_POLL_SECONDS)
            if rest:
                yield rest

    def _end_group(self) -> None:
        """Ends what the process left behind, once: the number of an ended group may be taken by another."""
        if self._ended:
            return
        self._ended = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reaper.forget(self.pid)
