"""`lambda_handler` as Lambda calls it, with the settings of the environment and a queue of SQS."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fargate_workers_runtime import Message, SettingsError, lambda_handler
from fargate_workers_runtime.brokers.sqs.sqs_broker import SqsBroker
from fargate_workers_runtime.settings import Settings
from order_pipeline import order_receipts
from tests.doubles.event_source import Context, event_of
from tests.patience import PATIENCE

pytestmark = pytest.mark.usefixtures("end_functions")

WORKER_IMAGE = Path(__file__).parents[3] / "worker_image"
ORDER = {"order_id": "o-1", "customer_id": "c-1", "amount_cents": 1234, "currency": "EUR"}


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Generator[SqsBroker]:
    """A queue in moto, which the variables of the environment name."""
    monkeypatch.setattr("fargate_workers_runtime.process.begin_log", lambda: None)  # the log is pytest's here
    with mock_aws():
        client = boto3.client("sqs", region_name="eu-west-1")
        url, letters = (client.create_queue(QueueName=name)["QueueUrl"] for name in ("orders", "dead"))
        for name, value in {
            "WORKER_NAME": "shop/Orders",
            "QUEUE_URL": url,
            "DEAD_LETTER_QUEUE_URL": letters,
            "VISIBILITY_TIMEOUT_SECONDS": "420",
            "MAX_PROCESSING_SECONDS": "60",
            "AWS_REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield SqsBroker(client, url)


def send(queue: SqsBroker, *bodies: Any) -> None:
    client, url = boto3.client("sqs", region_name="eu-west-1"), os.environ["QUEUE_URL"]
    for body in bodies:
        client.send_message(
            QueueUrl=url,
            MessageBody=json.dumps(body),
            MessageAttributes={"picture": {"DataType": "Binary", "BinaryValue": b"\x00\x01"}},
        )


def letters() -> list[dict[str, Any]]:
    client = boto3.client("sqs", region_name="eu-west-1")
    found = client.receive_message(QueueUrl=os.environ["DEAD_LETTER_QUEUE_URL"], MessageAttributeNames=["All"])
    return found.get("Messages", [])


def test_a_batch_is_handled_by_the_variables_of_the_environment(queue: SqsBroker) -> None:
    handled: list[str] = []

    def handle(message: Message) -> None:
        handled.append(message.body["id"])
        if message.body["id"] == "b":
            raise RuntimeError("later")

    handler = lambda_handler(handle, schema={"required": ["id"]}, idempotency_key="/id")
    send(queue, {"id": "a"}, {"id": "b"}, {"wrong": 1})
    deliveries = queue.receive(10, wait=0, lease=420)
    answer = handler(event_of(deliveries), Context(70))
    failed = [each.id for each in deliveries if json.loads(each.text).get("id") == "b"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
    assert sorted(handled) == ["a", "b"]
    (letter,) = letters()
    assert letter["MessageAttributes"]["dlq.reason"]["StringValue"] == "schema: /required"
    assert letter["MessageAttributes"]["picture"]["BinaryValue"] == b"\x00\x01"
    handler(event_of(deliveries[:1]), Context(70))  # the same worker


def test_nothing_is_read_before_an_event_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKER_NAME", raising=False)
    handler = lambda_handler(print)
    monkeypatch.setattr("fargate_workers_runtime.process.begin_log", lambda: None)
    with pytest.raises(SettingsError, match="WORKER_NAME is not set"):
        handler({}, Context(70))


def test_another_broker_is_refused(monkeypatch: pytest.MonkeyPatch, queue: SqsBroker) -> None:
    other: Any = Settings(worker_name="w", broker="other")  # pyright: ignore[reportArgumentType]

    def from_environment(_environment: object) -> Settings:
        return other

    monkeypatch.setattr(Settings, "from_environment", from_environment)
    with pytest.raises(SettingsError, match="a function drains a queue of SQS"):
        lambda_handler(print)({}, Context(70))


def test_in_lambda_the_worker_is_open_before_the_first_event() -> None:
    program = """
import threading
from fargate_workers_runtime import lambda_handler
handler = lambda_handler(print)
print("worker" in {each.name for each in threading.enumerate()})
"""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(WORKER_IMAGE),
        "WORKER_NAME": "shop/Orders",
        "QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/1/orders",
        "AWS_REGION": "eu-west-1",
    }
    for in_lambda in (False, True):
        variables = {**environment, **({"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9"} if in_lambda else {})}
        ended = subprocess.run(
            [sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        assert ended.stdout.split()[-1] == str(in_lambda), ended.stdout + ended.stderr


def test_the_samples_receipt_is_written_once(queue: SqsBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIPTS_TABLE_NAME", "receipts")
    client = boto3.client("dynamodb", region_name="eu-west-1")
    client.create_table(
        TableName="receipts",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    order_receipts.table.cache_clear()
    send(queue, ORDER, ORDER)
    deliveries = queue.receive(10, wait=0, lease=420)
    handler = lambda_handler(order_receipts.write_receipt, idempotency_key="/order_id")
    assert handler(event_of(deliveries), Context(70)) == {"batchItemFailures": []}
    (item,) = client.scan(TableName="receipts")["Items"]
    assert item == {"order_id": {"S": "o-1"}, "amount_cents": {"N": "1234"}}
    order_receipts.table.cache_clear()
