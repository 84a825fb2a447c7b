"""What keeps a process from starting is one sentence and an exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"
WORKER = {"WORKER_NAME": "w", "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/q", "AWS_DEFAULT_REGION": "eu-west-1"}
#: A Python in which what the extra brings is not installed, or an older one is.
MISSING = "import sys; sys.modules['redis'] = None"
OLD = "import sys, types; sys.modules['redis'] = types.ModuleType('redis'); sys.modules['redis'].__path__ = []"


def start(program: str, **variables: str) -> tuple[int, list[dict[str, Any]], str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(WORKER_IMAGE), **WORKER, **variables}
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr


RUN = "from fargate_workers_runtime import run; run(print)"
TASK = "from fargate_workers_runtime import run_task; run_task(print)"


@pytest.mark.parametrize(
    ("program", "variables", "sentence"),
    [
        (RUN, {"RATE_LIMIT_PER_SECOND": "5"}, "install fargate-workers-runtime[redis]."),
        (RUN, {"CLAIM_STORE": "redis"}, "install fargate-workers-runtime[redis]."),
        (TASK, {"CLAIM_STORE": "redis", "SCHEDULE_NAME": "s", "SCHEDULED_TIME": "2026-01-31T12:00:00Z"}, "[redis]."),
        (RUN, {"LOG_LEVEL": "LOUD"}, "LOG_LEVEL is 'LOUD'; make it one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
        (RUN, {"LOG_EXCEPTION_TEXT": "yes"}, "LOG_EXCEPTION_TEXT is 'yes'; make it one of true, false."),
        (RUN, {"MAX_MESSAGE_BYTES": "2000000"}, "make it a whole number from 1 to 1048576."),
    ],
)
def test_what_is_wrong_for_good_is_one_sentence_and_2(program: str, variables: dict[str, str], sentence: str) -> None:
    code, (line,), error = start(f"{MISSING}; {program}", **variables)
    assert (code, error) == (2, "")
    assert line["event"].endswith(sentence)


def test_a_handler_that_is_a_generator_is_refused_at_the_start() -> None:
    for program in (RUN, TASK):
        code, (line,), _ = start(f"def handle(m):\n  yield\n{program.replace('print', 'handle')}")
        assert code == 2
        assert line["event"].startswith("handler_refused: ")


def test_an_import_of_what_an_extra_brings_names_the_extra() -> None:
    imports = [(MISSING, "is missing", name) for name in ("connect_redis", "ReadThroughCache", "TokenBucket")]
    for fault, word, name in [*imports, (OLD, "is too old", "connect_redis")]:
        code, _, error = start(f"{fault}; from fargate_workers_runtime import {name}")
        assert code == 1
        assert error.splitlines()[-1].endswith(f"The package redis {word}; install fargate-workers-runtime[redis].")


def test_another_package_that_is_missing_is_named_as_python_names_it() -> None:
    _, _, error = start("import sys; sys.modules['jsonschema_rs'] = None; from fargate_workers_runtime import run")
    assert "jsonschema_rs" in error.splitlines()[-1]


def test_a_failure_at_the_start_says_its_text_for_no_message_can_be_in_it() -> None:
    fails = "from fargate_workers_runtime import clients; clients.sqs_client = lambda **_: 1 / 0"
    run = "from fargate_workers_runtime.entry_points import run; run(print)"
    code, (line,), _ = start(f"{fails}; {run}", LOG_LEVEL="info")
    assert (code, line["event"], line["error"], line["text"]) == (
        1,
        "start_failed",
        "ZeroDivisionError",
        "division by zero",
    )
