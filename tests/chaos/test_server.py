"""The server as a worker's client meets it: strict, and in each kind of weather."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.chaos.stand import ChaosStand

#: Longer than any test: an outage ends when the next test's begins anew, on another stand.
_LONG = 60


@pytest.fixture
def stand(request: pytest.FixtureRequest) -> Iterator[ChaosStand]:
    """A stand with a standard queue, or with a FIFO one where a test is marked so."""
    fifo = getattr(request, "param", False)
    with ChaosStand(fifo=fifo, visibility=10, max_receives=3, seed=1) as stand:
        yield stand


both_kinds = pytest.mark.parametrize("stand", [False, True], ids=["standard", "fifo"], indirect=True)


def client(stand: ChaosStand, service: str = "sqs", *, key: str = "worker-1") -> Any:
    return boto3.client(
        service,
        endpoint_url=stand.client[f"AWS_ENDPOINT_URL_{service.upper()}"],
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key="-",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=0.5),
    )


def send(stand: ChaosStand, *names: str) -> None:
    fifo = stand.url.endswith(".fifo")
    stand.send([{"body": name, **({"group": "a", "deduplication_id": name} if fifo else {})} for name in names])


def deliveries(stand: ChaosStand) -> list[list[tuple[str, bool]]]:
    """To whom each message was delivered, and whether it was heard."""
    return [[(to, heard) for _, to, heard, _ in story["deliveries"]] for story in stand.stories()["messages"]]


@both_kinds
def test_a_message_goes_its_way_through_the_real_client(stand: ChaosStand) -> None:
    sqs = client(stand)
    send(stand, "1")
    [message] = sqs.receive_message(
        QueueUrl=stand.url, MessageSystemAttributeNames=["All"], MessageAttributeNames=["All"]
    )["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(message["Attributes"]["ApproximateFirstReceiveTimestamp"]) >= int(message["Attributes"]["SentTimestamp"])
    assert message["Attributes"].get("MessageGroupId") == ("a" if stand.url.endswith(".fifo") else None)
    receipt = message["ReceiptHandle"]
    sqs.change_message_visibility(QueueUrl=stand.url, ReceiptHandle=receipt, VisibilityTimeout=20)
    letter = {"Id": "1", "MessageBody": message["Body"]}
    if stand.url.endswith(".fifo"):
        letter |= {"MessageGroupId": "a", "MessageDeduplicationId": "1"}
    assert not sqs.send_message_batch(QueueUrl=stand.letters_url, Entries=[letter]).get("Failed")
    sqs.delete_message(QueueUrl=stand.url, ReceiptHandle=receipt)
    assert stand.counts() == {"visible": 0, "hidden": 0, "deleted": 1, "sent": 1}
    [story], [buried] = stand.stories().values()
    assert [(to, heard, [seconds for _, seconds in changes]) for _, to, heard, changes in story["deliveries"]] == [
        ("worker-1", True, [20])
    ]
    assert (buried["body"], buried["sent_by"]) == ("1", "worker-1")


def test_one_entry_of_a_batch_fails_by_itself(stand: ChaosStand) -> None:
    sqs = client(stand)
    send(stand, "1")
    [message] = sqs.receive_message(QueueUrl=stand.url)["Messages"]
    entries = [
        {"Id": "good", "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 5},
        {"Id": "bad", "ReceiptHandle": f"{message['ReceiptHandle']}9", "VisibilityTimeout": 5},
    ]
    answer = sqs.change_message_visibility_batch(QueueUrl=stand.url, Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["good"]
    assert [(each["Id"], each["Code"], each["SenderFault"]) for each in answer["Failed"]] == [
        ("bad", "ReceiptHandleIsInvalid", True)
    ]
    with pytest.raises(ClientError) as caught:
        sqs.delete_message_batch(
            QueueUrl=stand.url, Entries=[{"Id": "1", "ReceiptHandle": message["ReceiptHandle"]}] * 2
        )
    assert "BatchEntryIdsNotDistinct" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("error", ClientError),
        ("throttle", ClientError),
        ("refuse", (EndpointConnectionError, ConnectionClosedError)),
        ("hang", ReadTimeoutError),
        ("lose", ConnectionClosedError),
    ],
)
def test_an_outage_is_felt_on_open_and_on_new_connections(stand: ChaosStand, kind: str, error: Any) -> None:
    connected, unconnected, dynamodb = client(stand), client(stand), client(stand, "dynamodb")
    send(stand, "1")
    connected.get_queue_attributes(QueueUrl=stand.url)
    stand.begin_outage(service="SQS", kind=kind, seconds=_LONG)
    for sqs in (connected, unconnected):
        with pytest.raises(error):
            sqs.receive_message(QueueUrl=stand.url)
    dynamodb.get_item(TableName="t", Key={"pk": {"S": "k"}})
    # Only what was done and not heard of was done.
    assert deliveries(stand) == [[("worker-1", False)] if kind == "lose" else []]


def test_an_outage_ends(stand: ChaosStand) -> None:
    sqs = client(stand)
    for kind in ("refuse", "hang", "error"):
        stand.begin_outage(service="SQS", kind=kind, seconds=0.2)
        with suppress(ClientError, EndpointConnectionError, ConnectionClosedError, ReadTimeoutError):
            sqs.receive_message(QueueUrl=stand.url)
    answered = threading.Event()
    while not answered.is_set():
        with suppress(ClientError, EndpointConnectionError, ConnectionClosedError, ReadTimeoutError):
            sqs.receive_message(QueueUrl=stand.url)
            answered.set()


def test_an_outage_of_one_operation_leaves_the_others(stand: ChaosStand) -> None:
    sqs = client(stand)
    send(stand, "1")
    stand.begin_outage(service="SQS", kind="error", seconds=_LONG, operations=["DeleteMessage"])
    [message] = sqs.receive_message(QueueUrl=stand.url)["Messages"]
    receipt = message["ReceiptHandle"]
    with pytest.raises(ClientError):
        sqs.delete_message(QueueUrl=stand.url, ReceiptHandle=receipt)
    with pytest.raises(ClientError):
        sqs.delete_message_batch(QueueUrl=stand.url, Entries=[{"Id": "1", "ReceiptHandle": receipt}])
    sqs.change_message_visibility(QueueUrl=stand.url, ReceiptHandle=receipt, VisibilityTimeout=5)
    assert stand.counts()["hidden"] == 1


def test_claims_may_refuse_writes_and_answer_reads(stand: ChaosStand) -> None:
    dynamodb = client(stand, "dynamodb")
    stand.begin_outage(service="DynamoDB", kind="throttle", seconds=_LONG, operations=["UpdateItem"])
    key: dict[str, Any] = {"TableName": "t", "Key": {"pk": {"S": "k"}}}
    with pytest.raises(ClientError):
        dynamodb.update_item(**key, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": {"S": "b"}})
    dynamodb.get_item(**key)


@both_kinds
def test_letters_are_redriven_as_new_messages(stand: ChaosStand) -> None:
    sqs = client(stand)
    send(stand, "1")
    for _ in range(3):
        [message] = sqs.receive_message(QueueUrl=stand.url)["Messages"]
        sqs.change_message_visibility(QueueUrl=stand.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    assert "Messages" not in sqs.receive_message(QueueUrl=stand.url)
    assert stand.redrive() == 1
    [again] = sqs.receive_message(QueueUrl=stand.url)["Messages"]
    assert again["MessageId"] != message["MessageId"]
    [letter] = stand.stories()["letters"]
    assert (letter["id"], letter["sent_by"]) == (message["MessageId"], "SQS")
