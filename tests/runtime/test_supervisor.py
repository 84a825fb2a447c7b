"""Several processes in a task: shares, replacement, and one shutdown for all."""

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_runtime.process.supervisor import PROCESS, Supervisor, is_wanted, share
from fargate_workers_runtime.settings import Settings
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

SETTINGS = Settings(worker_name="test", queue_url="memory", processes=2, concurrency=5)

# What a worker process does as far as its supervisor sees: it says its number, and ends as it is told.
CHILD = """
import os, pathlib, signal, sys, time
folder = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int((folder / "code").read_text())))
number = os.environ["FARGATE_WORKERS_PROCESS"]
with (folder / f"starts-{number}").open("a") as file:
    file.write(f"{os.getpid()}\\n")
if (folder / "fail").exists():
    sys.exit(int((folder / "fail").read_text()))
while True:
    time.sleep(60)
"""


class Rig:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "code").write_text("0")
        command = [sys.executable, "-S", "-c", CHILD, str(folder)]
        self.supervisor = Supervisor(SETTINGS, {}, command=command)
        self.codes: list[int] = []
        self.thread = threading.Thread(target=lambda: self.codes.append(self.supervisor.run()), daemon=True)

    def start(self) -> None:
        self.thread.start()

    def starts(self, number: int) -> list[int]:
        path = self.folder / f"starts-{number}"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def stop(self) -> int:
        self.supervisor.request_stop("SIGTERM")
        return self.join()

    def join(self) -> int:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return self.codes[0]


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr("fargate_workers_runtime.process.supervisor.full_jitter", lambda *_a, **_k: 0.0)
    rig = Rig(tmp_path)
    yield rig
    if rig.thread.is_alive():
        rig.stop()


def test_a_task_of_one_process_has_no_supervisor() -> None:
    assert not is_wanted(Settings(worker_name="test", queue_url="memory"), {})
    assert is_wanted(SETTINGS, {})
    assert is_wanted(Settings(worker_name="test", queue_url="memory", max_messages=1000), {})
    assert not is_wanted(SETTINGS, {PROCESS: "0"})


def test_processes_share_what_is_the_tasks() -> None:
    assert share({}, SETTINGS, 0)["CONCURRENCY"] == "3"
    environment = share({"REDIS_MAX_CONNECTIONS": "7", "QUEUE_URL": "memory"}, SETTINGS, 1)
    assert environment == {
        "QUEUE_URL": "memory",
        "FARGATE_WORKERS_PROCESS": "1",
        "CONCURRENCY": "2",
        "REDIS_MAX_CONNECTIONS": "3",
        "HEALTH_FILE": "/tmp/healthy-1",
    }


def test_a_signal_to_stop_reaches_every_process_and_the_task_ends_when_they_have(
    rig: Rig, eventually: Eventually
) -> None:
    rig.start()
    eventually(lambda: rig.starts(0) and rig.starts(1))
    assert rig.stop() == 0
    assert len(rig.starts(0)) == len(rig.starts(1)) == 1


def test_a_process_that_dies_is_replaced_and_the_others_go_on(rig: Rig, eventually: Eventually) -> None:
    rig.start()
    eventually(lambda: rig.starts(0) and rig.starts(1))
    os.kill(rig.starts(0)[0], signal.SIGKILL)
    eventually(lambda: len(rig.starts(0)) == 2)
    assert rig.stop() == 0
    assert len(rig.starts(1)) == 1


def test_a_process_that_handled_its_share_is_replaced_at_once(rig: Rig, eventually: Eventually) -> None:
    rig.start()
    for count in range(1, 6):
        eventually(lambda count=count: len(rig.starts(0)) == count)
        os.kill(rig.starts(0)[-1], signal.SIGTERM)
    assert rig.stop() == 0


def test_wrong_settings_end_the_task_with_2(rig: Rig) -> None:
    (rig.folder / "fail").write_text("2")
    rig.start()
    assert rig.join() == 2


def test_a_program_that_cannot_start_ends_the_task_where_a_deployment_sees_it(rig: Rig) -> None:
    (rig.folder / "fail").write_text("1")
    rig.start()
    assert rig.join() == 1
    assert 3 in (len(rig.starts(0)), len(rig.starts(1)))


def test_a_process_that_fails_while_stopping_is_the_tasks_exit_code(rig: Rig, eventually: Eventually) -> None:
    rig.start()
    eventually(lambda: rig.starts(0) and rig.starts(1))
    (rig.folder / "code").write_text("1")
    assert rig.stop() == 1


def test_a_process_that_the_system_refuses_is_tried_again(
    rig: Rig, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, refused = subprocess.Popen, itertools.count()

    def popen(*arguments: Any, **options: Any) -> Any:
        if next(refused) < 2:
            raise BlockingIOError
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    rig.start()
    eventually(lambda: rig.starts(0) and rig.starts(1))
    assert rig.stop() == 0


def test_processes_share_the_connections_of_the_brokers_server_and_each_has_two() -> None:
    environment = {"BROKER_REDIS_HOST": "cache.example", "BROKER_REDIS_MAX_CONNECTIONS": "12"}
    assert share(environment, SETTINGS, 0)["BROKER_REDIS_MAX_CONNECTIONS"] == str(12 // SETTINGS.processes)
    few = {**environment, "BROKER_REDIS_MAX_CONNECTIONS": "2"}
    assert share(few, SETTINGS, 0)["BROKER_REDIS_MAX_CONNECTIONS"] == "2"
