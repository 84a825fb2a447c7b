"""Processes are ended only when they are provably ours."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fargate_workers_toolkit.local import processes


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def write_pid_file(folder: Path, pid: int) -> Path:
    (folder / "container").mkdir()
    file = folder / "container" / "pid"
    file.write_text(str(pid))
    return file


def test_a_running_process_is_known_by_its_command(sleeper: subprocess.Popen[bytes]) -> None:
    found = processes.look_up(sleeper.pid)
    assert found is not None
    assert "sleep 60" in found.command


def test_an_ended_process_is_gone_before_its_parent_notices(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.look_up(sleeper.pid) is None


def test_a_process_that_started_with_its_pid_file_is_left_behind(
    tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    write_pid_file(tmp_path, sleeper.pid)
    assert processes.left_behind(tmp_path) == [sleeper.pid]


def test_a_process_that_took_over_the_number_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    file = write_pid_file(tmp_path, sleeper.pid)
    os.utime(file, (0, 0))
    assert processes.left_behind(tmp_path) == []


def test_what_does_not_end_by_itself_is_ended() -> None:
    stubborn = subprocess.Popen(["sh", "-c", "trap '' TERM; echo ready; sleep 60"], stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    processes.end(stubborn.pid, within=0.1)
    assert stubborn.wait() == -9
    stubborn.stdout.close()


def test_ending_what_has_ended_is_harmless(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    processes.end(sleeper.pid, within=1)
    processes.end_group(sleeper.pid)
