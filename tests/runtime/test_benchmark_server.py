"""The server that the worker benchmark counts with: whoever asserts by its counts must be able to trust them."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from benchmarks.report import Row
from benchmarks.worker.orders import ORDER_SCHEMA, POISON, orders, with_poison
from benchmarks.worker.stand import Stand, StandQueue
from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.errors import PoisonMessage
from fargate_workers_runtime.handlers.gate import Gate
from tests.doubles.counting_dynamodb import ConditionFailedError, Table, condition
from tests.doubles.counting_sqs import Queue
from tests.patience import PATIENCE

Eventually = Callable[[Callable[[], object]], None]


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with Stand(latency_milliseconds=0) as stand:
        yield stand


@pytest.fixture
def queue(stand: Stand) -> StandQueue:
    return stand.queue("orders")


def client(stand: Stand, service: str) -> Any:
    return boto3.client(service, endpoint_url=stand.endpoint, region_name="eu-west-1")


def test_a_message_is_hidden_until_its_visibility_ends(clock: Clock) -> None:
    queue = Queue("orders", clock=clock)
    queue.send("{}")
    (first,) = queue.receive(10, visibility=30)

    assert queue.receive(10) == []
    clock.now += 30
    assert queue.receive(10) == [first]
    assert first.deliveries == 2


def test_a_receipt_of_an_earlier_delivery_deletes_nothing_and_is_counted(clock: Clock) -> None:
    queue = Queue("orders", clock=clock)
    message = queue.send("{}")
    queue.receive(1, visibility=30)
    stale = message.receipt
    clock.now += 30
    queue.receive(1, visibility=30)

    queue.delete(stale)

    assert queue.counters()["stale_deletes"] == 1
    assert queue.counters()["hidden"] == 1


def test_a_message_whose_time_is_over_can_be_deleted_until_it_is_delivered_again(clock: Clock) -> None:
    queue = Queue("orders", clock=clock)
    message = queue.send("{}")
    queue.receive(1, visibility=30)
    clock.now += 31
    queue.counters()

    queue.delete(message.receipt)

    assert queue.receive(1) == []
    assert queue.counters()["deleted"] == 1


def test_visibility_hands_back_or_extends_and_needs_the_latest_receipt(clock: Clock) -> None:
    queue = Queue("orders", clock=clock)
    message = queue.send("{}")
    queue.receive(1, visibility=30)

    assert queue.set_visibility(message.receipt, 60) is None
    clock.now += 59
    assert queue.receive(1) == []
    assert queue.set_visibility(message.receipt, 0) is None
    assert queue.receive(1) == [message]
    assert queue.set_visibility("unknown.1", 0) == "ReceiptHandleIsInvalid"


def test_a_message_delivered_too_often_moves_to_the_dead_letter_queue(clock: Clock) -> None:
    letters = Queue("dead-letters", clock=clock)
    queue = Queue("orders", dead_letter_queue=letters, max_receive_count=2, clock=clock)
    message = queue.send("{}")
    for _ in range(3):
        queue.receive(1, visibility=0)

    assert queue.counters()["redriven"] == 1
    assert letters.receive(1) == [message]


def test_each_64_kb_of_payload_is_billed_as_a_request(clock: Clock) -> None:
    queue = Queue("orders", clock=clock)
    queue.count("ReceiveMessage", entries=0)
    queue.count("ReceiveMessage", entries=10, payload=64 * 1024)
    queue.count("ReceiveMessage", entries=10, payload=250_000)

    assert queue.counters()["billed_requests"] == 1 + 1 + 4


def test_requests_needed_leave_out_polls_that_are_open(clock: Clock) -> None:
    queue = Queue("orders", clock=clock)
    message = queue.send("{}")
    queue.count("ReceiveMessage")
    queue.receive(1)
    queue.count("ReceiveMessage")  # the next poll, which brings nothing
    queue.open_polls = 1
    queue.count("DeleteMessageBatch")
    queue.delete(message.receipt)

    assert queue.counters()["needed_requests"] == 2


def test_the_rate_leaves_out_the_first_and_the_last_tenth(clock: Clock) -> None:
    queue = Queue("orders", clock=clock)
    sent = [queue.send("{}") for _ in range(20)]
    for start in range(0, 20, 10):
        queue.receive(10)
        for message in sent[start : start + 10]:
            queue.delete(message.receipt)
            clock.now += 0.5
    queue.send("{}")

    assert queue.counters()["per_second"] == pytest.approx(2.0)


def test_a_long_poll_is_one_request_and_ends_when_a_message_arrives(
    stand: Stand, queue: StandQueue, eventually: Eventually
) -> None:
    received: list[Any] = []
    sqs = client(stand, "sqs")
    poll = threading.Thread(
        target=lambda: received.append(
            sqs.receive_message(QueueUrl=queue.url, WaitTimeSeconds=20, AttributeNames=["All"])
        )
    )
    poll.start()
    eventually(lambda: queue.counters()["requests"])

    sqs.send_message(QueueUrl=queue.url, MessageBody="héllo", MessageAttributes={})
    poll.join(PATIENCE)

    (message,) = received[0]["Messages"]
    assert message["Body"] == "héllo"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(message["Attributes"]["ApproximateFirstReceiveTimestamp"]) >= int(message["Attributes"]["SentTimestamp"])
    assert queue.counters()["requests"] == {"ReceiveMessage": 1, "SendMessage": 1}


def test_a_batch_is_one_request_for_ten(stand: Stand, queue: StandQueue) -> None:
    sqs = client(stand, "sqs")
    queue.send(orders(10))
    received = sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)["Messages"]
    entries = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(received)]

    assert sqs.delete_message_batch(QueueUrl=queue.url, Entries=entries)["Failed"] == []
    counters = queue.counters()
    assert counters["batch_sizes"] == {"ReceiveMessage": {"10": 1}, "DeleteMessageBatch": {"10": 1}}
    assert (counters["deleted"], counters["hidden"], counters["needed_requests"]) == (10, 0, 2)


def test_entries_fail_one_by_one_and_a_wrong_batch_as_a_whole(stand: Stand, queue: StandQueue) -> None:
    sqs = client(stand, "sqs")
    entry = {"Id": "0", "ReceiptHandle": "unknown.1", "VisibilityTimeout": 0}

    (failed,) = sqs.change_message_visibility_batch(QueueUrl=queue.url, Entries=[entry])["Failed"]
    assert (failed["Code"], failed["SenderFault"]) == ("ReceiptHandleIsInvalid", True)
    with pytest.raises(sqs.exceptions.ClientError, match="one Id"):
        sqs.change_message_visibility_batch(QueueUrl=queue.url, Entries=[entry, entry])
    with pytest.raises(sqs.exceptions.ClientError, match="no queue"):
        sqs.receive_message(QueueUrl=f"{queue.url}-unknown")


def test_a_client_that_hangs_up_takes_no_message_along(stand: Stand, queue: StandQueue, eventually: Eventually) -> None:
    body = json.dumps({"QueueUrl": queue.url, "WaitTimeSeconds": 20})
    address = urlsplit(stand.endpoint)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall((head + body).encode())
        eventually(lambda: queue.counters()["requests"])

    queue.send(["{}"])

    eventually(lambda: queue.counters()["batch_sizes"] == {"ReceiveMessage": {"0": 1}})
    assert queue.counters()["visible"] == 1


def test_messages_are_fed_no_faster_than_asked(queue: StandQueue) -> None:
    begun = time.monotonic()
    queue.send(orders(20), per_second=200)

    counters = queue.wait(lambda counters: counters["sent"] == 20, seconds=10)
    assert counters["visible"] == 20
    assert time.monotonic() - begun >= 19 / 200


def test_a_claim_and_its_completion_are_one_write_unit_each(stand: Stand, queue: StandQueue) -> None:
    claims = DynamoDbClaims(client(stand, "dynamodb"), queue.name, scope="orders")

    assert claims.claim("1", owner="a", seconds=30).state == "granted"
    assert claims.claim("1", owner="b", seconds=30).state == "held"
    assert claims.renew("1", owner="a", seconds=30)
    assert claims.complete("1", owner="a")
    assert claims.claim("1", owner="b", seconds=30).state == "completed"
    assert stand.table(queue.name)["write_units"] == 5


def test_a_condition_reads_like_dynamodb_reads_it() -> None:
    free = condition("attribute_not_exists(pk) OR ex < :now OR (st = :p AND lu < :now)")
    values = {":now": {"N": "10"}, ":p": {"S": "P"}}

    assert free({}, values)
    assert free({"pk": {"S": "1"}, "ex": {"N": "9"}}, values)
    assert free({"pk": {"S": "1"}, "ex": {"N": "11"}, "st": {"S": "P"}, "lu": {"N": "9.5"}}, values)
    assert not free({"pk": {"S": "1"}, "st": {"S": "C"}, "lu": {"N": "9"}}, values)


def test_what_the_table_cannot_read_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="begins_with"):
        condition("begins_with(pk, :a)")
    with pytest.raises(NotImplementedError, match="REMOVE"):
        Table().update({"Key": {"pk": {"S": "1"}}, "UpdateExpression": "REMOVE st"})


def test_a_refused_write_costs_its_unit() -> None:
    table = Table()
    request = {
        "Key": {"pk": {"S": "1"}},
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    table.update(request)

    with pytest.raises(ConditionFailedError):
        table.update({**request, "ConditionExpression": "attribute_not_exists(pk)"})
    assert (table.requests, table.write_units) == (2, 2)


def test_orders_pass_the_gate_and_poison_does_not() -> None:
    gate = Gate(ORDER_SCHEMA, idempotency_key="/order_id")

    assert [gate.open(Delivery(id="1", text=text, token="r")).idempotency_key for text in orders(2)] == [
        "order-000000",
        "order-000001",
    ]
    for text in POISON.values():
        with pytest.raises(PoisonMessage):
            gate.open(Delivery(id="1", text=text, token="r"))
    mixed = list(with_poison(orders(10), every=5))
    assert [number for number, text in enumerate(mixed) if text in POISON.values()] == [5, 11]


def test_a_row_says_whether_its_promise_is_kept() -> None:
    assert Row(name="requests", value=0.2, most=0.21).kept
    assert not Row(name="requests", value=1.1, most=0.21).kept
    assert not Row(name="times", value=4.9, least=5).kept
    assert Row(name="only told", value=4.9).mark == ""
    assert [row.promise for row in (Row(name="", value=1, most=1, least=1), Row(name="", value=0, most=0))] == [
        "1",
        "0",
    ]
