"""Runs of one schedule that overlap, repeat, or follow one that was killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fargate_workers_runtime.entry_points.task import LEASE_SECONDS, Task, run_claimed
from fargate_workers_runtime.testing import Clock, MemoryClaims
from tests.faults.rig import Rig, until

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "runtime" / "programs" / "slow_task.py"

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(rig: Rig) -> Iterator[Start]:
    """Starts a run of the schedule `hourly`, in a folder of the run's own."""
    processes: list[subprocess.Popen[str]] = []

    def start(folder: Path, *, at: str = "2026-01-31T12:00:00Z") -> "subprocess.Popen[str]":
        folder.mkdir(exist_ok=True)
        (folder / "hold").touch()
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "worker_image"),
            **rig.environment,
            "CLAIM_STORE": "dynamodb",
            "CLAIMS_TABLE_NAME": rig.server.table,
            "TEST_FOLDER": str(folder),
            "SCHEDULE_NAME": "hourly",
            "SCHEDULED_TIME": at,
        }
        process = subprocess.Popen([sys.executable, str(PROGRAM)], env=environment, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def event(process: "subprocess.Popen[str]") -> str:
    """The one event that it logged."""
    out, _ = process.communicate(timeout=30)
    (line,) = out.splitlines()
    return line.partition('"event": "')[2].partition('"')[0]


@pytest.mark.fault(37)
def test_a_run_beside_that_of_another_time_skips_and_one_after_that_of_its_own_is_a_duplicate(
    rig: Rig, tmp_path: Path, start: Start
) -> None:
    first = start(tmp_path / "first")
    until((tmp_path / "first" / "started").exists)
    second = start(tmp_path / "second", at="2026-01-31T13:00:00Z")  # the next, which comes early
    assert (event(second), second.returncode) == ("skipped_other_run", 0)
    (tmp_path / "first" / "hold").unlink()
    assert (event(first), first.returncode) == ("done", 0)
    again = start(tmp_path / "again")
    assert (event(again), again.returncode) == ("duplicate", 0)
    assert not (tmp_path / "second" / "started").exists()
    assert not (tmp_path / "again" / "started").exists()


@pytest.mark.fault(37)
def test_a_run_that_is_interrupted_lets_the_next_one_begin_at_once(rig: Rig, tmp_path: Path, start: Start) -> None:
    first = start(tmp_path / "first")
    until((tmp_path / "first" / "started").exists)
    first.send_signal(signal.SIGTERM)
    assert (event(first), first.returncode) == ("interrupted", 10)
    second = start(tmp_path / "second")
    until((tmp_path / "second" / "started").exists)
    (tmp_path / "second" / "hold").unlink()
    assert (event(second), second.returncode) == ("done", 0)


@pytest.mark.fault(37)
def test_a_run_that_was_killed_keeps_the_next_one_waiting_for_its_lease_and_no_longer() -> None:
    clock = Clock()
    claims = MemoryClaims(clock=clock)
    task = Task.from_environment(
        {"WORKER_NAME": "w", "SCHEDULE_NAME": "hourly", "SCHEDULED_TIME": "2026-01-31T12:00:00Z"}
    )
    for key in (task.exclusive_key, task.idempotency_key):
        assert key
        claims.claim(key, owner="the one that was killed", seconds=LEASE_SECONDS)
    ran: list[Task] = []
    killed_at = clock()
    assert run_claimed(ran.append, task, claims, wait=clock.advance) == 0
    assert ran == [task]
    assert LEASE_SECONDS <= clock() - killed_at <= LEASE_SECONDS + 2
