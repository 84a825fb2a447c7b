"""AWS did it, and the answer got lost on its way back; botocore asks again.

Here AWS is moto in this process: it carries a request out before botocore believes the answer that is injected.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fargate_workers_runtime import Message, run_once
from fargate_workers_runtime.brokers.sqs.sqs_broker import SqsBroker
from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.clients import dynamodb_client, sqs_client
from fargate_workers_runtime.settings import Settings
from tests.faults.injector import Fault, Injector

SETTINGS = Settings(worker_name="lost", queue_url="given", receive_wait=0, health_file=None)


class Lossy:
    """One message in a queue, a table of claims, and a worker whose answers get lost."""

    def __init__(self) -> None:
        boto3.setup_default_session(region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-")
        self.sqs = boto3.client("sqs")
        self.dynamodb = boto3.client("dynamodb")
        self.url = self.sqs.create_queue(QueueName="lossy")["QueueUrl"]
        self.dynamodb.create_table(
            TableName="claims",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.sqs.send_message(QueueUrl=self.url, MessageBody=json.dumps({"order_id": "1"}))
        self.handled: list[Message] = []

    def run(self, *faults: Fault, handle: Callable[[Message], None] = lambda message: None) -> None:
        def handle_and_note(message: Message) -> None:
            handle(message)
            self.handled.append(message)

        injector = Injector(faults)
        assert boto3.DEFAULT_SESSION
        injector.install(boto3.DEFAULT_SESSION.events)
        queue = SqsBroker(sqs_client(), self.url)
        claims = DynamoDbClaims(dynamodb_client(), "claims", scope="lost")
        assert (
            run_once(handle_and_note, queue=queue, claims=claims, settings=SETTINGS, idempotency_key="/order_id") == 0
        )
        for fault in faults:
            assert injector.requests[fault.operation] > len(fault.calls or ()), "the fault did not happen"

    @property
    def left(self) -> int:
        """Messages in the queue, hidden ones included."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def item(self, key: str) -> dict[str, Any]:
        return self.dynamodb.get_item(TableName="claims", Key={"pk": {"S": key}}).get("Item", {})


@pytest.fixture
def lossy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lossy]:
    with mock_aws():
        yield Lossy()
        boto3.DEFAULT_SESSION = None


@pytest.mark.fault(11)
def test_a_delete_whose_answer_got_lost_is_harmless_to_repeat(lossy: Lossy, caplog: pytest.LogCaptureFixture) -> None:
    lossy.run(Fault("DeleteMessageBatch", "error", calls=(1,)))
    assert lossy.left == 0
    assert [message.receive_count for message in lossy.handled] == [1]
    assert not [record for record in caplog.records if record.getMessage().startswith("settle")]


@pytest.mark.fault(28)
def test_a_claim_whose_answer_got_lost_is_known_again_as_ones_own(lossy: Lossy) -> None:
    lossy.run(Fault("UpdateItem", "error", calls=(1,)))
    assert [(message.receive_count, message.attempt) for message in lossy.handled] == [(1, 1)]
    assert lossy.item("lost#1")["st"] == {"S": "C"}
    assert lossy.left == 0


@pytest.mark.fault(28)
def test_a_completion_whose_answer_got_lost_is_not_taken_for_someone_elses(
    lossy: Lossy, caplog: pytest.LogCaptureFixture
) -> None:
    lossy.run(Fault("UpdateItem", "error", calls=(2,)))
    assert len(lossy.handled) == 1
    assert "fenced" not in [record.getMessage() for record in caplog.records]
    assert lossy.left == 0


@pytest.mark.fault(28)
def test_a_transaction_whose_answer_got_lost_is_written_once(lossy: Lossy) -> None:
    def handle(message: Message) -> None:
        message.transact(
            [
                {
                    "Update": {
                        "TableName": "claims",
                        "Key": {"pk": {"S": "total"}},
                        "UpdateExpression": "ADD amount :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                }
            ]
        )

    lossy.run(Fault("TransactWriteItems", "error", calls=(1,)), handle=handle)
    assert len(lossy.handled) == 1
    assert lossy.item("total")["amount"] == {"N": "1"}
    assert lossy.left == 0
