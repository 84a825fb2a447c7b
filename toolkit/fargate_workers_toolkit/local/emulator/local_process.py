"""A local process that stands in for a container."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from fargate_workers_toolkit.local.emulator.reaper import Reaper

LOG_POLL_SECONDS = 0.05


class LocalProcess:
    """A process group with a directory of its own, in which `log` and `pid` lie."""

    def __init__(
        self, arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str], cwd: Path, reaper: Reaper
    ) -> None:
        self.directory = directory
        self.log = directory / "log"
        self._reaper = reaper
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                arguments,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._ended = False
        reaper.watch(self.pid)
        (directory / "pid").write_text(str(self.pid))

    @property
    def is_running(self) -> bool:
        return self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """As a container reports it: 137 where a signal 9 ended the process."""
        code = self._process.poll()
        return None if code is None else (128 - code if code < 0 else code)

    def wait(self, timeout: float | None = None) -> int:
        self._process.wait(timeout)
        self._end_group()
        return self.exit_code or 0

    def stop(self, *, timeout: float) -> int:
        """SIGTERM to the process, as a container's init gets it; SIGKILL to all of the group after the timeout."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self.wait()

    def kill(self) -> int:
        self._process.kill()
        return self.wait()

    def lines(self, *, follow: bool) -> Iterator[bytes]:
        """What the process wrote, line by line, until it ends."""
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
