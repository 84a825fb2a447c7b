"""Starts harmful_program on a rig's queue, as a task would be: its own interpreter, its own standard output."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults.rig import Rig, until
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[2]


class Harmful:
    """One process of the program, and what it left behind."""

    def __init__(self, rig: Rig, *, stdout: int = subprocess.PIPE, **environment: str) -> None:
        self.folder = rig.folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.harmful_program"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT / "worker_image"),
                **rig.environment,
                "TEST_FOLDER": str(rig.folder),
                **environment,
            },
            stdout=stdout,
            text=True,
        )

    def __enter__(self) -> "Harmful":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def ended(self) -> int:
        until(lambda: self.exit_code is not None)
        return self._process.returncode

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self.ended()

    def logged(self) -> list[dict[str, Any]]:
        """What it wrote to standard output from its start to its end; every line must be JSON."""
        out, _ = self._process.communicate(timeout=PATIENCE)
        return [json.loads(line) for line in out.splitlines()]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def effects(self) -> list[str]:
        return _lines(self.folder / "effects")

    @property
    def begun(self) -> list[tuple[int, str, int]]:
        """Process, order and delivery of each time a handler began."""
        found = [line.split() for line in _lines(self.folder / "begun")]
        return [(int(process), order_id, int(count)) for process, order_id, count in found]


def redrive_after(rig: Rig, deliveries: int) -> dict[str, str]:
    """Let the queue move a message after so many deliveries; returns what the worker is told of it."""
    arn = rig.server.sqs.get_queue_attributes(QueueUrl=rig.dead_letter_url, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": deliveries}
    rig.server.sqs.set_queue_attributes(QueueUrl=rig.url, Attributes={"RedrivePolicy": json.dumps(policy)})
    return {"MAX_RECEIVE_COUNT": str(deliveries)}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
