"""The heartbeat file and the command that reads it."""

import os
import subprocess
import sys
from pathlib import Path

from fargate_workers_runtime.health import MAX_AGE_SECONDS, Heartbeat, fault

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"


def check(path: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(WORKER_IMAGE), "HEALTH_FILE": str(path)}
    command = [sys.executable, "-m", "fargate_workers_runtime.health"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_file_touched_lately_is_healthy(tmp_path: Path) -> None:
    Heartbeat(tmp_path / "healthy").beat()
    assert check(tmp_path / "healthy").returncode == 0


def test_a_missing_file_is_one_sentence_and_exit_code_3(tmp_path: Path) -> None:
    result = check(tmp_path / "healthy")
    assert result.returncode == 3
    assert result.stderr == f"{tmp_path / 'healthy'} does not exist: the worker has not polled its queue yet.\n"


def test_a_file_two_minutes_old_is_unhealthy(tmp_path: Path) -> None:
    path = tmp_path / "healthy"
    path.touch()
    touched = path.stat().st_mtime
    assert MAX_AGE_SECONDS == 120
    assert fault(path, now=touched + 119) is None
    assert "has stopped polling" in str(fault(path, now=touched + 121))


def test_the_check_imports_nothing_heavy(tmp_path: Path) -> None:
    probe = (
        "import sys, fargate_workers_runtime.health\n"
        "print([name for name in ('boto3', 'botocore', 'json', 'logging') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(WORKER_IMAGE)}
    result = subprocess.run(
        [sys.executable, "-S", "-c", probe], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_a_worker_without_a_health_file_beats_nowhere() -> None:
    Heartbeat(None).beat()
