"""The heartbeat file and the command that reads it."""

import os
import subprocess
import sys
from pathlib import Path

from fargate_workers_runtime.health import MAX_AGE_SECONDS, Heartbeat, fault, files

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"


def check(path: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(WORKER_IMAGE), "HEALTH_FILE": str(path), **environment}
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


def test_of_several_processes_each_must_be_healthy(tmp_path: Path) -> None:
    (tmp_path / "healthy-0").touch()
    result = check(tmp_path / "healthy", PROCESSES="2")
    assert result.returncode == 3
    assert result.stderr.startswith(f"{tmp_path / 'healthy-1'} does not exist")
    (tmp_path / "healthy-1").touch()
    assert check(tmp_path / "healthy", PROCESSES="2").returncode == 0


def test_a_process_that_is_replaced_after_so_many_messages_is_numbered_too() -> None:
    assert files({"MAX_MESSAGES_PER_PROCESS": "1000"}) == [Path("/tmp/healthy-0")]
    assert files({}) == [Path("/tmp/healthy")]


def test_a_disk_that_is_full_does_not_end_the_loop(tmp_path: Path) -> None:
    Heartbeat(tmp_path / "missing" / "healthy").beat()


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
