"""What Python would print by itself becomes lines of the log, without the text of exceptions."""

import json
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest

from fargate_workers_runtime.telemetry.uncaught import log_what_nobody_catches

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"

PROGRAM = """
import threading, warnings
from fargate_workers_runtime.telemetry import logs
from fargate_workers_runtime.telemetry.uncaught import log_what_nobody_catches

logs.configure("w")
log_what_nobody_catches()

def fail():
    raise ValueError("4111")

class Ungrateful:
    def __del__(self):
        raise KeyError("4111")

thread = threading.Thread(target=fail, name="theirs")
thread.start()
thread.join()
Ungrateful()
warnings.warn("4111", RuntimeWarning)
fail()
"""


def test_what_nobody_catches_is_logged_and_quotes_nothing() -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKER_IMAGE)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 1
    assert [(line["event"], line.get("error")) for line in said] == [
        ("thread_failed", "ValueError"),
        ("exception_ignored", "KeyError"),
        ("warning", None),
        ("crashed", "ValueError"),
    ]
    assert (said[0]["thread"], said[2]["category"]) == ("theirs", "RuntimeWarning")
    assert "4111" not in ended.stdout + ended.stderr


def test_a_hook_that_an_error_tracker_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, hook in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, hook, print)
    monkeypatch.setattr(warnings, "showwarning", print)
    log_what_nobody_catches()
    assert {sys.excepthook, sys.unraisablehook, threading.excepthook} == {print}
