"""The run task that tests start as a process: it says that it began, and waits to be ended."""

import os
import time
from pathlib import Path

from fargate_workers_runtime import Task, run_task

FOLDER = Path(os.environ["TEST_FOLDER"])


def handle(_task: Task) -> None:
    (FOLDER / "started").touch()
    while (FOLDER / "hold").exists():
        time.sleep(0.005)


if __name__ == "__main__":
    run_task(handle)
