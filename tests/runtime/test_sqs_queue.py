"""What SQS alone can do to us: entries that fail, letters near its limits."""

from typing import Any

import pytest

from fargate_workers_runtime.brokers.broker import DeadLetter, Delivery
from fargate_workers_runtime.brokers.sqs.sqs_broker import SqsBroker
from fargate_workers_runtime.clients import prompt_sqs_client


class FailingClient:
    """Answers each batch call with the next list of failed entries, and remembers the calls."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def delete_message_batch(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        return {"Failed": self.answers.pop(0)}

    send_message_batch = delete_message_batch


def deliveries(tokens: str) -> list[Delivery]:
    return [Delivery(id=token, text="{}", token=token) for token in tokens]


def failed(entry: int, *, sender: bool) -> dict[str, Any]:
    return {"Id": str(entry), "SenderFault": sender, "Code": "InternalError"}


def queue_of(client: Any, **options: Any) -> SqsBroker:
    return SqsBroker(client, "https://sqs/1/orders", **options)


def test_only_the_failed_entries_of_a_batch_are_sent_again() -> None:
    client = FailingClient([failed(1, sender=False)], [])
    assert queue_of(client).acknowledge(deliveries("abc")) == []
    assert [[entry["ReceiptHandle"] for entry in call["Entries"]] for call in client.calls] == [["a", "b", "c"], ["b"]]


def test_an_entry_refused_for_its_own_fault_is_not_sent_again() -> None:
    client = FailingClient([failed(0, sender=True)])
    failures = queue_of(client).acknowledge(deliveries("ab"))
    assert [(failure.index, failure.permanent) for failure in failures] == [(0, True)]
    assert len(client.calls) == 1


def test_an_entry_that_fails_twice_is_reported_as_worth_another_try() -> None:
    client = FailingClient([failed(1, sender=False)], [failed(1, sender=False)])
    failures = queue_of(client).acknowledge(deliveries("ab"))
    assert [(failure.index, failure.permanent) for failure in failures] == [(1, False)]


def letter(text: str, reason: str = "not JSON", **fields: Any) -> DeadLetter:
    return DeadLetter(delivery=Delivery(id="id-1", text=text, token="r", receive_count=2, **fields), reason=reason)


def test_a_dead_letter_says_why_whence_and_how_often() -> None:
    client = FailingClient([])
    queue_of(client, dead_letter_queue_url="https://sqs/1/dead").dead_letter([letter("{")])
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
    queue_of(client, dead_letter_queue_url="https://sqs/1/dead").dead_letter([letter("{", native_attributes=own)])
    assert len(client.calls[0]["Entries"][0]["MessageAttributes"]) == 10


def test_a_reason_of_control_characters_still_makes_an_attribute() -> None:
    client = FailingClient([])
    queue_of(client, dead_letter_queue_url="https://sqs/1/dead").dead_letter([letter("{", reason="\x00\x01")])
    assert client.calls[0]["Entries"][0]["MessageAttributes"]["dlq.reason"]["StringValue"] == "-"


def test_large_dead_letters_go_in_requests_that_sqs_takes() -> None:
    client = FailingClient([], [], [failed(0, sender=True)])
    failures = queue_of(client, dead_letter_queue_url="https://sqs/1/dead").dead_letter(
        [letter("x" * 600_000) for _ in range(3)]
    )
    assert [len(call["Entries"]) for call in client.calls] == [1, 1, 1]
    assert [failure.index for failure in failures] == [2]


def test_burying_without_a_dead_letter_queue_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="DEAD_LETTER_QUEUE_URL"):
        queue_of(FailingClient()).dead_letter([letter("{")])


def test_every_request_is_counted_as_it_is_billed() -> None:
    class Client(FailingClient):
        def receive_message(self, **_call: Any) -> dict[str, Any]:
            body = "x" * (64 * 1024 + 1)
            return {"Messages": [{"MessageId": "1", "Body": body, "ReceiptHandle": "r"}]}

    billed: list[int] = []
    queue = queue_of(Client([failed(0, sender=False)], []), billed=billed.append)
    queue.receive(10, wait=0, lease=1)
    assert billed == [2]  # each 64 KB of payload is a request
    queue.acknowledge(deliveries("ab"))
    assert billed == [2, 1, 1]


def test_a_body_that_leaves_no_room_goes_without_attributes_the_reason_last() -> None:
    client = FailingClient([], [])
    sender = {"tenant": {"DataType": "String", "StringValue": "x" * 100}}
    for left in (60, 10):
        received = Delivery(id="m", text="x" * (1024 * 1024 - left), token="r", native_attributes=sender)
        assert (
            queue_of(client, dead_letter_queue_url="d").dead_letter([DeadLetter(delivery=received, reason="too large")])
            == []
        )
    kept = [set(call["Entries"][0]["MessageAttributes"]) for call in client.calls]
    assert kept == [{"dlq.reason", "dlq.error"}, set()]


def test_a_second_burial_keeps_the_senders_attributes_and_not_the_firsts() -> None:
    client = FailingClient([])
    first = {
        f"dlq.{name}": {"DataType": "String", "StringValue": "old"} for name in ("reason", "error", "source", "a", "b")
    }
    received = Delivery(
        id="m", text="{}", token="r", native_attributes={**first, "tenant": {"DataType": "String", "StringValue": "t"}}
    )
    queue_of(client, dead_letter_queue_url="d").dead_letter([DeadLetter(delivery=received, reason="new")])
    attributes = client.calls[0]["Entries"][0]["MessageAttributes"]
    assert attributes["tenant"]["StringValue"] == "t"
    assert attributes["dlq.reason"]["StringValue"] == "new"
    assert "dlq.a" not in attributes


class FickleClient(FailingClient):
    """Raises where an answer is an exception."""

    def delete_message_batch(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        answer: Any = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Failed": answer}

    send_message_batch = delete_message_batch


def test_what_a_batch_carried_out_is_not_sent_again_because_its_repetition_failed() -> None:
    client = FickleClient([failed(1, sender=False)], ConnectionError("no answer"))  # type: ignore[arg-type]
    failures = queue_of(client, dead_letter_queue_url="d").dead_letter([letter("{") for _ in range(3)])
    assert [(failure.index, failure.permanent, failure.code) for failure in failures] == [(1, False, "ConnectionError")]


def test_letters_of_a_request_that_arrived_are_not_sent_again_because_the_next_request_failed() -> None:
    client = FickleClient([], ConnectionError("no answer"), [])  # type: ignore[arg-type]
    failures = queue_of(client, dead_letter_queue_url="d").dead_letter([letter("x" * 600_000) for _ in range(3)])
    assert [(failure.index, failure.permanent) for failure in failures] == [(1, False)]


def test_a_request_that_failed_as_a_whole_is_the_callers_to_repeat() -> None:
    with pytest.raises(ConnectionError):
        queue_of(FickleClient(ConnectionError("no")), dead_letter_queue_url="d").dead_letter([letter("{")])  # type: ignore[arg-type]


def test_a_letter_that_cannot_be_written_keeps_back_no_other() -> None:
    client = FailingClient([])
    broken = letter("{", native_attributes={"own": {}})  # no DataType: what SQS would never give
    failures = queue_of(client, dead_letter_queue_url="d").dead_letter([letter("{"), broken, letter("{")])
    assert [(failure.index, failure.permanent) for failure in failures] == [(1, True)]
    assert len(client.calls[0]["Entries"]) == 2


def test_a_reason_that_is_no_text_becomes_one() -> None:
    client = FailingClient([])
    received = Delivery(id="m", text="{}", token="r")
    bad = DeadLetter(delivery=received, reason=42, detail=ValueError("a value"))  # type: ignore[arg-type]
    assert queue_of(client, dead_letter_queue_url="d").dead_letter([bad]) == []
    attributes = client.calls[0]["Entries"][0]["MessageAttributes"]
    assert attributes["dlq.reason"]["StringValue"] == "42"
    assert attributes["dlq.error"]["StringValue"] == "a value"


def test_what_must_be_said_soon_has_a_client_of_its_own() -> None:
    polls, prompt = FailingClient(), FailingClient([], [])
    queue = queue_of(polls, prompt=prompt, dead_letter_queue_url="d")
    queue.acknowledge(deliveries("a"))
    queue.dead_letter([letter("{")])
    assert (len(polls.calls), len(prompt.calls)) == (0, 2)


@pytest.mark.parametrize(("visibility", "seconds"), [(5, 2), (30, 5), (120, 20), (43_200, 20)])
def test_a_request_for_a_lease_is_over_in_a_sixth_of_it(
    monkeypatch: pytest.MonkeyPatch, visibility: int, seconds: int
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    config: Any = prompt_sqs_client(visibility_timeout=visibility).meta.config
    assert config.read_timeout == seconds
    assert config.connect_timeout <= seconds
    assert config.retries["total_max_attempts"] == 1


class OneOfATenant:
    """A standard or a FIFO queue with one message that has a MessageGroupId."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def receive_message(self, **_call: Any) -> dict[str, Any]:
        attributes = {"ApproximateReceiveCount": "1", "MessageGroupId": "ada"}
        return {"Messages": [{"MessageId": "1", "Body": "{}", "ReceiptHandle": "r", "Attributes": attributes}]}

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        self.sent += call["Entries"]
        return {"Successful": [{"Id": entry["Id"]} for entry in call["Entries"]]}


@pytest.mark.parametrize(("url", "group", "tenant"), [("memory", None, "ada"), ("memory.fifo", "ada", None)])
def test_a_message_group_is_an_order_in_a_fifo_queue_and_a_tenant_in_a_standard_one(
    url: str, group: str | None, tenant: str | None
) -> None:
    client: Any = OneOfATenant()
    broker = SqsBroker(client, url, dead_letter_queue_url=f"dead-{url}")

    (delivery,) = broker.receive(1, wait=0, lease=30)
    assert broker.dead_letter([DeadLetter(delivery=delivery, reason="not JSON")]) == []

    assert (delivery.group_id, delivery.tenant) == (group, tenant)
    assert [entry["MessageGroupId"] for entry in client.sent] == ["ada"]
    assert [("MessageDeduplicationId" in entry) for entry in client.sent] == [group is not None]
