"""S3 objects that vanish, change, refuse to be read or have odd names, between the event and the worker."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, IncompleteReadError

from fargate_workers_runtime import Message
from fargate_workers_runtime.entry_points.task import Task, run_claimed
from fargate_workers_runtime.testing import MemoryClaims, MemoryWorker
from order_pipeline.import_bulk import ImportBulk
from order_pipeline.import_files import EVENT_SCHEMA, ImportFiles, file_version
from tests.faults.program import session
from tests.faults.rig import REGION, Server

HEADER = b"order_id,customer_id,amount_cents,currency,note\n"


class Sender:
    """Takes rows as `OrderSender` does, and keeps what it was given."""

    def __init__(self) -> None:
        self.order_ids: list[str] = []

    def send(self, rows: Iterator[dict[str, str]]) -> int:
        self.order_ids += [row["order_id"] for row in rows]
        return len(self.order_ids)


class S3:
    """The server's S3, which the first so many reads do not reach: they end with `fault`."""

    def __init__(self, client: Any, *, fault: Callable[[Any], Any], times: int = 1_000) -> None:
        self._client = client
        self._fault = fault
        self._left = times

    def get_object(self, **arguments: Any) -> Any:
        answer = self._client.get_object(**arguments)
        self._left -= 1
        return self._fault(answer) if self._left >= 0 else answer


@pytest.fixture
def s3(server: Server) -> Any:
    credentials = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": REGION}
    return session().client("s3", endpoint_url=server.endpoint, **credentials)


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket without versions."""
    name = uuid.uuid4().hex
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


def put(s3: Any, bucket: str, key: str, *order_ids: str) -> str:
    """Store a file of orders; returns its ETag as an event writes it."""
    rows = b"".join(f"{order_id},c-1,1,EUR,\n".encode() for order_id in order_ids)
    return s3.put_object(Bucket=bucket, Key=key, Body=HEADER + rows)["ETag"].strip('"')


def event(bucket: str, key: str, **fields: str) -> str:
    detail = {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": uuid.uuid4().hex, **fields}}
    return json.dumps({"id": "e", "source": "aws.s3", "detail-type": "Object Created", "time": "t", "detail": detail})


def importer(s3: Any, sender: Sender, **options: Any) -> MemoryWorker:
    handler = ImportFiles(s3, sender)  # type: ignore[arg-type]
    return MemoryWorker(handler.handle, schema=EVENT_SCHEMA, idempotency_key=file_version, **options)


def denied(_answer: Any) -> Any:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "GetObject")


def cut_short(answer: Any) -> Any:
    class Body:
        def iter_lines(self, **_: Any) -> Iterator[bytes]:
            lines = answer["Body"].iter_lines(keepends=True)
            yield next(lines)
            yield next(lines)
            raise IncompleteReadError(actual_bytes=1, expected_bytes=2)

    return {**answer, "Body": Body()}


@pytest.mark.fault(35)
def test_an_object_that_vanished_is_a_dead_letter_that_says_so(s3: Any, bucket: str) -> None:
    etag = put(s3, bucket, "a.csv", "1")
    s3.delete_object(Bucket=bucket, Key="a.csv")
    worker = importer(s3, sender := Sender())
    worker.send(event(bucket, "a.csv", etag=etag))
    worker.settle()
    # S3 is consistent: what it does not have once, it will not have at the fifth look.
    assert [(letter.reason, letter.delivery.receive_count) for letter in worker.dead_letters] == [("file is gone", 1)]
    assert sender.order_ids == []


@pytest.mark.fault(35)
def test_an_object_that_changed_is_read_for_the_event_of_its_new_content_and_only_for_that(
    s3: Any, bucket: str
) -> None:
    first = put(s3, bucket, "a.csv", "old")
    second = put(s3, bucket, "a.csv", "new")
    worker = importer(s3, sender := Sender())
    for etag in (second, first, second):  # events come in any order, and more than once
        worker.send(event(bucket, "a.csv", etag=etag, sequencer=etag))
    worker.settle()
    assert sender.order_ids == ["new"]
    assert worker.dead_letters == []


@pytest.mark.fault(35)
def test_an_object_that_may_not_be_read_waits_until_it_may(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a.csv", "1")
    worker = importer(S3(s3, fault=denied, times=2), sender := Sender())
    worker.send(event(bucket, "a.csv"))
    worker.settle()
    assert (sender.order_ids, [message.receive_count for message in worker.handled]) == (["1"], [3])


@pytest.mark.fault(35)
def test_an_object_that_may_never_be_read_ends_as_a_dead_letter_that_says_why(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a.csv", "1")
    worker = importer(S3(s3, fault=denied), Sender(), max_receive_count=3)
    worker.send(event(bucket, "a.csv"))
    worker.settle()
    (letter,) = worker.dead_letters
    assert letter.reason == "failed 3 times"
    assert "AccessDenied" in letter.detail


@pytest.mark.fault(35)
def test_a_download_that_breaks_off_is_begun_anew(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a.csv", "1", "2", "3")
    worker = importer(S3(s3, fault=cut_short, times=1), sender := Sender())
    worker.send(event(bucket, "a.csv"))
    worker.settle()
    assert sender.order_ids == ["1", "2", "3"]


@pytest.mark.fault(35)
@pytest.mark.parametrize("key", ["a+b.csv", "a b.csv", "a%20b.csv", "\u00fc\u20ac\U0001f600.csv", "=?&#;.csv"])
def test_an_odd_key_is_read_as_it_is(s3: Any, bucket: str, key: str) -> None:
    put(s3, bucket, key, "1")
    worker = importer(s3, sender := Sender())
    worker.send(event(bucket, key))
    worker.settle()
    assert sender.order_ids == ["1"]


@pytest.mark.fault(35)
def test_the_key_in_a_notification_of_s3s_own_is_decoded(s3: Any, bucket: str) -> None:
    put(s3, bucket, "a b+\u00fc.csv", "1")
    read: list[bytes] = []

    def handle(message: Message) -> None:
        record = message.body["s3"]
        found = s3.get_object(Bucket=record["bucket"]["name"], Key=record["object"]["key"])
        read.append(found["Body"].read())

    worker = MemoryWorker(handle, idempotency_key="/s3/object/sequencer")
    stored = {"key": "a+b%2B%C3%BC.csv", "sequencer": "0055"}
    worker.send({"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": bucket}, "object": stored}}]})
    worker.settle()
    assert read == [HEADER + b"1,c-1,1,EUR,\n"]


@pytest.mark.fault(35)
def test_a_task_for_an_object_ends_with_the_code_that_says_whether_another_try_helps(s3: Any, bucket: str) -> None:
    def run(s3: Any, key: str, **variables: str) -> int:
        environment = {"WORKER_NAME": "ImportBulk", "OBJECT_BUCKET": bucket, "OBJECT_KEY": key, **variables}
        handler = ImportBulk(s3, Sender())  # type: ignore[arg-type]
        return run_claimed(handler.handle, Task.from_environment(environment), MemoryClaims())

    put(s3, bucket, "a.csv", "1")
    assert run(s3, "gone.csv") == 20
    assert run(S3(s3, fault=denied), "a.csv") == 10
    assert run(S3(s3, fault=cut_short), "a.csv") == 10
    assert run(s3, "a.csv", OBJECT_ETAG='"of an earlier content"') == 0
    assert run(s3, "a.csv") == 0
