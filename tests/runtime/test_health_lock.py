"""A health file is one worker's: with two, it would be fresh while one of them hangs."""

import os
import signal
from pathlib import Path

import pytest

from fargate_workers_runtime import SettingsError
from fargate_workers_runtime.process import health_lock


def holding(health_file: Path) -> tuple[int, int]:
    """Another process that holds the file, and forks as a handler may; its number, and what ends its child."""
    read, write = os.pipe()
    lives, says = os.pipe()
    process = os.fork()
    if process == 0:
        health_lock.hold(health_file)
        if os.fork() == 0:
            os.close(write)
            os.write(says, b"!")
            os.read(read, 1)
            os._exit(0)
        signal.pause()
    os.read(lives, 1)
    for end in (read, lives, says):
        os.close(end)
    return process, write


def test_a_second_worker_with_the_same_health_file_is_refused_as_long_as_the_first_lives(tmp_path: Path) -> None:
    health_file = tmp_path / "healthy"
    first, ends_child = holding(health_file)
    try:
        with pytest.raises(SettingsError, match=f"Another worker of this task uses HEALTH_FILE {health_file}; "):
            health_lock.hold(health_file)
        health_lock.hold(tmp_path / "another")
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
    health_lock.hold(health_file)  # though a child of the first lives on
    os.close(ends_child)
    assert not health_file.exists(), "it is not healthy yet"


def test_a_folder_that_cannot_be_written_is_left_to_the_health_check(tmp_path: Path) -> None:
    health_lock.hold(tmp_path / "missing" / "healthy")
