"""The worker processes: as many as there should be, whatever happens to them."""

import json
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.chaos.history import History
from tests.chaos.worker import Life, work
from tests.forking import fork, send_signal
from tests.patience import PATIENCE

#: Seconds after which a process that was asked to stop gets its successor, as in a deployment.
_OVERLAP = 1.5


@dataclass(eq=False)
class _Process:
    number: int
    process: Any
    asked_at: float | None = None
    alive_at: float = 0.0
    thaws_at: float | None = None

    def send(self, signum: signal.Signals) -> None:
        send_signal(self.process, signum)


class Herd:
    """Places, each with a process that is replaced when it ends.

    Args:
        environment: Every process's; each gets an access key and a health file of its own.
        stop_timeout: Seconds between SIGTERM and SIGKILL.
        life: What else a `Life` takes.

    Attributes:
        exits: The exit code of each process that ended by itself; None: it had to be killed.
        lingered: For how many seconds each of them was still there after it had logged that it has stopped.
    """

    def __init__(
        self, folder: Path, *, places: int, environment: Mapping[str, str], stop_timeout: float, **life: Any
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._stop_timeout = stop_timeout
        self._life = life
        self._history = History(folder / "history")
        self._places: list[_Process | None] = [None] * places
        self._leaving: list[_Process] = []
        self._killed: set[int] = set()
        self.started = 0
        self.died = 0
        self.unborn = 0
        self.exits: dict[int, int | None] = {}
        self.lingered: dict[int, float] = {}

    @property
    def killed(self) -> int:
        return len(self._killed)

    @property
    def asked(self) -> int:
        return len(self.exits) + self.unborn

    def tend(self) -> None:
        """Replace those that have ended, wake those that were frozen long enough, kill those that do not stop."""
        now = time.monotonic()
        for place, each in enumerate(self._places):
            if each is None:
                self._places[place] = self._start()
                continue
            self._thaw(each, now)
            if self._is_over(each):
                self._ended(each)
                self._places[place] = self._start()
            elif each.asked_at is not None and now - each.asked_at > _OVERLAP:
                self._leaving.append(each)
                self._places[place] = self._start()
        for each in list(self._leaving):
            self._thaw(each, now)
            if self._has_left(each, now):
                self._leaving.remove(each)

    def kill(self, place: int) -> None:
        if each := self._places[place]:
            self._kill(each)
            self._ended(each)
            self._places[place] = None

    def stop(self, place: int) -> None:
        """SIGTERM; a second one changes nothing."""
        each = self._places[place]
        if each and each.process.exitcode is None:
            if each.asked_at is None:
                each.asked_at = time.monotonic()
                self._history.add("asked", each.number)
            each.send(signal.SIGTERM)

    def freeze(self, place: int, seconds: float) -> None:
        each = self._places[place]
        if each and each.process.exitcode is None and each.thaws_at is None:
            each.send(signal.SIGSTOP)
            _wait_until_stopped(each.process)
            self._history.add("frozen", each.number)
            each.thaws_at = time.monotonic() + seconds

    def stop_all(self) -> None:
        """Stop everything cleanly, and wait."""
        for place in range(len(self._places)):
            self.stop(place)
        self._leaving += [each for each in self._places if each]
        self._places = [None] * len(self._places)
        while self._leaving:
            now = time.monotonic()
            for each in self._leaving:
                self._thaw(each, now)
            self._leaving = [each for each in self._leaving if not self._has_left(each, now)]
            time.sleep(0.02)  # a poll's pace

    def close(self) -> None:
        """Leave no process behind."""
        for each in [*self._leaving, *(each for each in self._places if each)]:
            each.process.kill()
            each.process.join()
        self._history.close()

    def _start(self) -> _Process:
        self.started += 1
        environment = {
            **self._environment,
            "AWS_ACCESS_KEY_ID": f"worker-{self.started}",
            "HEALTH_FILE": str(self._folder / f"healthy-{self.started}"),
        }
        life = Life(folder=self._folder, process=self.started, environment=environment, **self._life)
        process = fork.Process(target=work, args=(life,), daemon=True)
        process.start()
        return _Process(self.started, process)

    def _thaw(self, each: _Process, now: float) -> None:
        if each.thaws_at is not None and now >= each.thaws_at:
            each.thaws_at = None
            self._history.add("thawed", each.number)
            each.send(signal.SIGCONT)

    def _is_over(self, each: _Process) -> bool:
        looked_at = time.time()
        if each.process.exitcode is not None:
            return True
        each.alive_at = looked_at
        return False

    def _has_left(self, each: _Process, now: float) -> bool:
        if self._is_over(each):
            self._ended(each)
            return True
        if each.asked_at is not None and now - each.asked_at > self._stop_timeout and each.thaws_at is None:
            self._kill(each)
            self.exits[each.number] = None
            return True
        return False

    def _kill(self, each: _Process) -> None:
        each.process.kill()
        each.process.join()
        self._history.add("killed", each.number)
        self._killed.add(each.number)

    def _ended(self, each: _Process) -> None:
        """Note how. Deaths are in the history already."""
        code = each.process.exitcode
        if code in (-signal.SIGKILL, 66):
            self.died += each.number not in self._killed
            return
        self._history.add("ended", each.number, message=str(code))
        if code == -signal.SIGTERM and not self._has_logged(each.number):
            self.unborn += 1  # asked to stop before `run` could listen, let alone receive: nothing was in its hands
        else:
            self.exits[each.number] = code
            self._note_how_long(each)

    def _note_how_long(self, each: _Process) -> None:
        log = (self._folder / f"{each.number}.log").read_text(errors="replace")
        stopped = [json.loads(line)["time"] for line in log.splitlines() if '"event": "stopped"' in line]
        for at in stopped[-1:]:
            self.lingered[each.number] = max(0.0, each.alive_at - datetime.fromisoformat(at).timestamp())

    def _has_logged(self, number: int) -> bool:
        log = self._folder / f"{number}.log"
        return log.exists() and log.stat().st_size > 0


def _wait_until_stopped(process: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.exitcode is None and time.monotonic() < deadline:
        if Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[-1].split()[0] == "T":
            return
        time.sleep(0.001)  # a poll's pace
