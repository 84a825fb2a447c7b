"""What holds for every queue: the one in memory, and SQS as moto plays it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

import boto3
import pytest

from fargate_workers_runtime.queue import DeadLetter, Queue, Received
from fargate_workers_runtime.sqs_queue import SqsQueue
from fargate_workers_runtime.testing import MemoryQueue


@dataclass
class Rig:
    queue: Queue
    send: Callable[..., object]
    dead_letters: Callable[[], list[dict[str, str]]]


def memory_rig(fifo: bool) -> Rig:
    queue = MemoryQueue(fifo=fifo)
    return Rig(
        queue=queue,
        send=lambda body, group=None: queue.send(body, group_id=group),
        dead_letters=lambda: [{"body": letter.received.text, "reason": letter.reason} for letter in queue.dead_letters],
    )


def sqs_rig(fifo: bool) -> Rig:
    client = boto3.client("sqs")
    attributes = {"FifoQueue": "true"} if fifo else {}
    suffix = ".fifo" if fifo else ""
    url, dead = (
        client.create_queue(QueueName=f"{name}-{uuid.uuid4().hex}{suffix}", Attributes=attributes)["QueueUrl"]
        for name in ("live", "dead")
    )

    def send(body: str, group: str | None = None) -> None:
        extra = {"MessageGroupId": group, "MessageDeduplicationId": uuid.uuid4().hex} if fifo else {}
        client.send_message(QueueUrl=url, MessageBody=body, **extra)

    def dead_letters() -> list[dict[str, str]]:
        found = client.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return [
            {"body": each["Body"], "reason": each["MessageAttributes"]["dlq.reason"]["StringValue"]}
            for each in found.get("Messages", [])
        ]

    return Rig(queue=SqsQueue(client, url, dead_letter_queue_url=dead), send=send, dead_letters=dead_letters)


@pytest.fixture(params=[memory_rig, sqs_rig], ids=["memory", "sqs"])
def rig(request: pytest.FixtureRequest, aws: None) -> Rig:
    return request.param(False)


@pytest.fixture(params=[memory_rig, sqs_rig], ids=["memory", "sqs"])
def fifo_rig(request: pytest.FixtureRequest, aws: None) -> Rig:
    return request.param(True)


def take(rig: Rig, limit: int = 10) -> list[Received]:
    return rig.queue.receive(limit, wait=0, visibility=30)


def test_a_received_message_is_hidden(rig: Rig) -> None:
    rig.send("a")
    assert [each.text for each in take(rig)] == ["a"]
    assert take(rig) == []


def test_a_receive_takes_no_more_than_asked(rig: Rig) -> None:
    for body in "abc":
        rig.send(body)
    assert len(take(rig, 2)) == 2
    assert len(take(rig)) == 1


def test_a_message_handed_back_is_delivered_again_and_counted(rig: Rig) -> None:
    rig.send("a")
    first = take(rig)[0]
    assert rig.queue.set_visibility([(first.receipt, 0)]) == []
    second = take(rig)[0]
    assert (first.id, first.receive_count) == (second.id, 1)
    assert second.receive_count == 2
    assert second.receipt != first.receipt


def test_a_deleted_message_is_gone(rig: Rig) -> None:
    rig.send("a")
    receipt = take(rig)[0].receipt
    assert rig.queue.delete([receipt]) == []
    assert rig.queue.delete([receipt]) == []  # a lost answer may be asked for again
    assert take(rig) == []


def test_the_visibility_of_a_deleted_message_cannot_be_changed(rig: Rig) -> None:
    for body in "ab":
        rig.send(body)
    first, second = take(rig)
    rig.queue.delete([first.receipt])
    failures = rig.queue.set_visibility([(first.receipt, 30), (second.receipt, 30)])
    assert [(failure.index, failure.permanent) for failure in failures] == [(0, True)]


def test_a_buried_message_is_in_the_dead_letter_queue_with_its_reason(rig: Rig) -> None:
    assert rig.queue.has_dead_letter_queue
    rig.send("a")
    assert rig.queue.bury([DeadLetter(received=take(rig)[0], reason="not JSON")]) == []
    assert rig.dead_letters() == [{"body": "a", "reason": "not JSON"}]


def test_a_fifo_queue_delivers_a_group_in_order_and_holds_it_while_one_is_out(fifo_rig: Rig) -> None:
    assert fifo_rig.queue.fifo
    for body in ("a1", "a2"):
        fifo_rig.send(body, "a")
    fifo_rig.send("b1", "b")
    first = take(fifo_rig, 1)[0]
    assert (first.text, first.group_id) == ("a1", "a")
    assert [each.text for each in take(fifo_rig)] == ["b1"]
    fifo_rig.queue.delete([first.receipt])
    assert [each.text for each in take(fifo_rig)] == ["a2"]


def test_a_fifo_dead_letter_keeps_its_group(fifo_rig: Rig) -> None:
    fifo_rig.send("a", "group-1")
    letters = [DeadLetter(received=each, reason="poison") for each in take(fifo_rig)]
    assert fifo_rig.queue.bury(letters) == []
    assert fifo_rig.dead_letters() == [{"body": "a", "reason": "poison"}]
