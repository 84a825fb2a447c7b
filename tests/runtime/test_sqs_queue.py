"""What SQS alone can do to us: entries that fail, letters near its limits."""

from typing import Any

import pytest

from fargate_workers_runtime.queue import DeadLetter, Received
from fargate_workers_runtime.sqs_queue import SqsQueue


class FailingClient:
    """Answers each batch call with the next list of failed entries, and remembers the calls."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def delete_message_batch(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        return {"Failed": self.answers.pop(0)}

    send_message_batch = delete_message_batch


def failed(entry: int, *, sender: bool) -> dict[str, Any]:
    return {"Id": str(entry), "SenderFault": sender, "Code": "InternalError"}


def queue_of(client: Any, **options: Any) -> SqsQueue:
    return SqsQueue(client, "https://sqs/1/orders", **options)


def test_only_the_failed_entries_of_a_batch_are_sent_again() -> None:
    client = FailingClient([failed(1, sender=False)], [])
    assert queue_of(client).delete(["a", "b", "c"]) == []
    assert [[entry["ReceiptHandle"] for entry in call["Entries"]] for call in client.calls] == [["a", "b", "c"], ["b"]]


def test_an_entry_refused_for_its_own_fault_is_not_sent_again() -> None:
    client = FailingClient([failed(0, sender=True)])
    failures = queue_of(client).delete(["a", "b"])
    assert [(failure.index, failure.permanent) for failure in failures] == [(0, True)]
    assert len(client.calls) == 1


def test_an_entry_that_fails_twice_is_reported_as_worth_another_try() -> None:
    client = FailingClient([failed(1, sender=False)], [failed(1, sender=False)])
    failures = queue_of(client).delete(["a", "b"])
    assert [(failure.index, failure.permanent) for failure in failures] == [(1, False)]


def letter(text: str, reason: str = "not JSON", **fields: Any) -> DeadLetter:
    return DeadLetter(received=Received(id="id-1", text=text, receipt="r", receive_count=2, **fields), reason=reason)


def test_a_dead_letter_says_why_whence_and_how_often() -> None:
    client = FailingClient([])
    queue_of(client, dead_letter_queue_url="https://sqs/1/dead").bury([letter("{")])
    entry = client.calls[0]["Entries"][0]
    assert client.calls[0]["QueueUrl"] == "https://sqs/1/dead"
    assert entry["MessageBody"] == "{"
    assert {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()} == {
        "dlq.reason": "not JSON",
        "dlq.error": "not JSON",
        "dlq.source": "orders",
        "dlq.receiveCount": "2",
        "dlq.originalMessageId": "id-1",
    }


def test_a_dead_letter_keeps_five_of_its_own_attributes_because_sqs_takes_ten() -> None:
    own = {f"own{n}": {"DataType": "String", "StringValue": "x"} for n in range(10)}
    client = FailingClient([])
    queue_of(client, dead_letter_queue_url="https://sqs/1/dead").bury([letter("{", attributes=own)])
    assert len(client.calls[0]["Entries"][0]["MessageAttributes"]) == 10


def test_a_reason_of_control_characters_still_makes_an_attribute() -> None:
    client = FailingClient([])
    queue_of(client, dead_letter_queue_url="https://sqs/1/dead").bury([letter("{", reason="\x00\x01")])
    assert client.calls[0]["Entries"][0]["MessageAttributes"]["dlq.reason"]["StringValue"] == "-"


def test_large_dead_letters_go_in_requests_that_sqs_takes() -> None:
    client = FailingClient([], [], [failed(0, sender=True)])
    failures = queue_of(client, dead_letter_queue_url="https://sqs/1/dead").bury(
        [letter("x" * 600_000) for _ in range(3)]
    )
    assert [len(call["Entries"]) for call in client.calls] == [1, 1, 1]
    assert [failure.index for failure in failures] == [2]


def test_burying_without_a_dead_letter_queue_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="DEAD_LETTER_QUEUE_URL"):
        queue_of(FailingClient()).bury([letter("{")])


def test_every_request_is_counted_as_it_is_billed() -> None:
    class Client(FailingClient):
        def receive_message(self, **_call: Any) -> dict[str, Any]:
            body = "x" * (64 * 1024 + 1)
            return {"Messages": [{"MessageId": "1", "Body": body, "ReceiptHandle": "r"}]}

    billed: list[int] = []
    queue = queue_of(Client([failed(0, sender=False)], []), billed=billed.append)
    queue.receive(10, wait=0, visibility=1)
    assert billed == [2]  # each 64 KB of payload is a request
    queue.delete(["a", "b"])
    assert billed == [2, 1, 1]


def test_a_body_that_leaves_no_room_goes_without_attributes_the_reason_last() -> None:
    client = FailingClient([], [])
    sender = {"tenant": {"DataType": "String", "StringValue": "x" * 100}}
    for left in (60, 10):
        received = Received(id="m", text="x" * (1024 * 1024 - left), receipt="r", attributes=sender)
        assert (
            queue_of(client, dead_letter_queue_url="d").bury([DeadLetter(received=received, reason="too large")]) == []
        )
    kept = [set(call["Entries"][0]["MessageAttributes"]) for call in client.calls]
    assert kept == [{"dlq.reason", "dlq.error"}, set()]


def test_a_second_burial_keeps_the_senders_attributes_and_not_the_firsts() -> None:
    client = FailingClient([])
    first = {
        f"dlq.{name}": {"DataType": "String", "StringValue": "old"} for name in ("reason", "error", "source", "a", "b")
    }
    received = Received(
        id="m", text="{}", receipt="r", attributes={**first, "tenant": {"DataType": "String", "StringValue": "t"}}
    )
    queue_of(client, dead_letter_queue_url="d").bury([DeadLetter(received=received, reason="new")])
    attributes = client.calls[0]["Entries"][0]["MessageAttributes"]
    assert attributes["tenant"]["StringValue"] == "t"
    assert attributes["dlq.reason"]["StringValue"] == "new"
    assert "dlq.a" not in attributes
