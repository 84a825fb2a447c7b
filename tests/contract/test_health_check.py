"""QueueWorker's health check, run as ECS runs it, in images with and without our runtime."""

import shlex
import subprocess
import sys
from pathlib import Path

from fargate_workers.workers.queue_worker import HEALTH_COMMAND

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"


def healthy(folder: Path, **environment: str) -> bool:
    kind, command = HEALTH_COMMAND
    assert kind == "CMD-SHELL"
    result = subprocess.run(["/bin/sh", "-c", command], env=environment, cwd=folder, capture_output=True, check=False)
    return result.returncode == 0


def with_python(folder: Path) -> str:
    """A PATH on which `python` is this interpreter, without this project's packages."""
    (folder / "bin").mkdir()
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -S "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    return str(folder / "bin")


def test_a_worker_with_a_fresh_heartbeat_is_healthy(tmp_path: Path) -> None:
    (tmp_path / "healthy").touch()

    path = with_python(tmp_path)
    assert healthy(tmp_path, PATH=path, PYTHONPATH=str(WORKER_IMAGE), HEALTH_FILE=str(tmp_path / "healthy"))


def test_a_worker_without_a_heartbeat_is_unhealthy(tmp_path: Path) -> None:
    path = with_python(tmp_path)
    assert not healthy(tmp_path, PATH=path, PYTHONPATH=str(WORKER_IMAGE), HEALTH_FILE=str(tmp_path / "healthy"))


def test_a_task_of_several_processes_is_healthy_while_each_of_them_is(tmp_path: Path) -> None:
    path = with_python(tmp_path)
    environment = {"PATH": path, "PYTHONPATH": str(WORKER_IMAGE), "HEALTH_FILE": str(tmp_path / "healthy")}
    (tmp_path / "healthy-0").touch()
    assert not healthy(tmp_path, **environment, PROCESSES="2")

    (tmp_path / "healthy-1").touch()
    assert healthy(tmp_path, **environment, PROCESSES="2")


def test_an_image_without_our_runtime_passes(tmp_path: Path) -> None:
    assert healthy(tmp_path, PATH=with_python(tmp_path))


def test_an_image_without_python_passes(tmp_path: Path) -> None:
    assert healthy(tmp_path, PATH=str(tmp_path))
