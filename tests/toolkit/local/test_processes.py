"""Processes are ended only when they are provably ours."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fargate_workers_toolkit.local import processes


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["cat", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    # Its answer says that it runs: a process that is just being started has no command yet.
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"\n")
    process.stdin.flush()
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def write_pid_file(folder: Path, pid: int) -> Path:
    (folder / "container").mkdir()
    file = folder / "container" / "pid"
    file.write_text(str(pid))
    return file


def test_a_running_process_is_known_by_its_command(waiting: subprocess.Popen[bytes]) -> None:
    found = processes.look_up(waiting.pid)
    assert found is not None
    assert found.command.split() == ["cat", "-"]


def test_an_ended_process_is_gone_before_its_parent_notices(waiting: subprocess.Popen[bytes]) -> None:
    waiting.kill()
    os.waitid(os.P_PID, waiting.pid, os.WEXITED | os.WNOWAIT)
    assert processes.look_up(waiting.pid) is None


def test_a_process_that_started_with_its_pid_file_is_left_behind(
    tmp_path: Path, waiting: subprocess.Popen[bytes]
) -> None:
    write_pid_file(tmp_path, waiting.pid)
    assert processes.left_behind(tmp_path) == [waiting.pid]


def test_a_process_that_took_over_the_number_is_left_alone(tmp_path: Path, waiting: subprocess.Popen[bytes]) -> None:
    file = write_pid_file(tmp_path, waiting.pid)
    os.utime(file, (0, 0))
    assert processes.left_behind(tmp_path) == []


def test_what_does_not_end_by_itself_is_ended() -> None:
    stubborn = subprocess.Popen(["sh", "-c", "trap '' TERM; echo ready; sleep 60"], stdout=subprocess.PIPE)
    assert stubborn.stdout is not None
    stubborn.stdout.readline()
    processes.end(stubborn.pid, within=0.1)
    assert stubborn.wait() == -9
    stubborn.stdout.close()


def test_ending_what_has_ended_is_harmless(waiting: subprocess.Popen[bytes]) -> None:
    waiting.kill()
    waiting.wait()
    processes.end(waiting.pid, within=1)
    processes.end_group(waiting.pid)
