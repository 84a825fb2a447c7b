"""The redrive of chosen dead letters: sent before they are deleted, in order, within the time, and again at will."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.sqs.models import SQSBackend

from fargate_workers_redrive import handler as edge
from fargate_workers_redrive.choosing import SPARE_SECONDS, Clock, redrive_chosen
from fargate_workers_redrive.letters import dead_letter, sent_again
from fargate_workers_redrive.request import Queue
from fargate_workers_redrive.where import Filter

REGION, ACCOUNT = "eu-west-1", "123456789012"  # moto's
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}"


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty queue answers at once: nothing comes later here."""
    receive = SQSBackend.receive_message

    def at_once(backend: SQSBackend, queue: str, count: int, _wait: int, *rest: Any) -> Any:
        return receive(backend, queue, count, 0, *rest)

    monkeypatch.setattr(SQSBackend, "receive_message", at_once)


class Time(Clock):
    """A clock that only sleeping moves on."""

    def __init__(self, *, lasting: float = 60.0) -> None:
        self.moved = 0.0
        super().__init__(now=lambda: 2_000_000_000 + self.moved, sleep=self._sleep, left=lambda: lasting - self.moved)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _sleep(self, seconds: float) -> None:
        self.moved += seconds


class Letters:
    def __init__(self, *, fifo: bool = False) -> None:
        self.sqs = boto3.client("sqs", region_name=REGION)
        end = ".fifo" if fifo else ""
        options = {"Attributes": {"FifoQueue": "true", "ContentBasedDeduplication": "true"}} if fifo else {}
        self.origin = self.sqs.create_queue(QueueName=f"orders{end}", **options)["QueueUrl"]
        self.dead = self.sqs.create_queue(QueueName=f"dead{end}", **options)["QueueUrl"]
        self.queue = Queue("Orders", f"{ARN}:orders{end}", f"{ARN}:dead{end}")

    def die(self, number: int, *, reason: str = "schema: /amount", group: str | None = None) -> None:
        more = {"MessageGroupId": group} if group else {}
        texts = {"dlq.reason": reason, "dlq.receiveCount": "5", "tenant": "acme"}
        self.sqs.send_message(
            QueueUrl=self.dead,
            MessageBody=json.dumps({"number": number}),
            MessageAttributes={k: {"DataType": "String", "StringValue": v} for k, v in texts.items()},
            **more,
        )

    def numbers(self, url: str) -> list[int]:
        """What can be seen in a queue; it is seen again afterwards."""
        found: dict[str, dict[str, Any]] = {}
        while some := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
            "Messages"
        ):
            found |= {message["MessageId"]: message for message in some}
        for message in found.values():
            self.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return [json.loads(message["Body"])["number"] for message in found.values()]

    def taken(self, url: str) -> list[int]:
        """What is in a FIFO queue, in its order, and no longer: a group gives its next messages when these are gone."""
        found: list[int] = []
        while some := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in some:
                found.append(json.loads(message["Body"])["number"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def redrive(self, where: str, *, clock: Clock | None = None, sqs: Any = None) -> Any:
        return redrive_chosen(
            self.queue,
            Filter.parse(where),
            messages_per_second=1,
            sqs=self.sqs if sqs is None else sqs,
            clock=clock or Time(),
        )


@pytest.fixture(autouse=True)
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def test_the_chosen_letters_return_and_the_others_can_be_seen_at_once() -> None:
    letters = Letters()
    for number in range(6):
        letters.die(number, reason="schema: /amount" if number % 2 else "not JSON")

    assert letters.redrive('reason == "schema*"') == {
        "queue": "Orders",
        "status": "COMPLETED",
        "moved": 3,
        "left": 3,
    }
    assert sorted(letters.numbers(letters.origin)) == [1, 3, 5]
    assert sorted(letters.numbers(letters.dead)) == [0, 2, 4]


def test_a_letter_keeps_its_senders_attributes_and_loses_those_of_its_death() -> None:
    letters = Letters()
    letters.die(1)

    letters.redrive("body.number == 1")

    (message,) = letters.sqs.receive_message(QueueUrl=letters.origin, MessageAttributeNames=["All"])["Messages"]
    assert message["MessageAttributes"].keys() == {"tenant", "replay.of", "replay.at"}


def test_letters_of_a_fifo_group_return_in_order_over_many_receives() -> None:
    letters = Letters(fifo=True)
    for number in range(25):
        letters.die(number, group="a")

    assert letters.redrive("body.number >= 0")["status"] == "COMPLETED"

    assert letters.taken(letters.origin) == list(range(25))
    assert letters.taken(letters.dead) == []


def test_a_letter_that_stays_in_its_group_makes_the_redrive_incomplete() -> None:
    letters = Letters(fifo=True)
    for number in range(3):
        letters.die(number, group="a")

    first = letters.redrive("body.number != 1")
    assert (first["status"], first["moved"], first["left"]) == ("INCOMPLETE", 2, 1)
    assert letters.redrive("body.number != 1")["status"] == "COMPLETED"


def test_it_ends_before_its_time_does_and_the_next_call_goes_on() -> None:
    letters = Letters()
    for number in range(30):
        letters.die(number)

    first = letters.redrive("body.number >= 0", clock=Time(lasting=SPARE_SECONDS + 12))

    assert first["status"] == "INCOMPLETE"
    assert 0 < first["moved"] < 30
    assert len(letters.numbers(letters.dead)) == 30 - first["moved"]
    calls = 1
    while letters.redrive("body.number >= 0", clock=Time(lasting=SPARE_SECONDS + 12))["status"] == "INCOMPLETE":
        calls += 1
        assert calls < 10
    assert sorted(letters.numbers(letters.origin)) == list(range(30))


class CutOffError(Exception):
    pass


@pytest.mark.parametrize("call", ["send_message", "delete_message"])
def test_cut_off_between_any_two_calls_no_letter_is_lost_and_one_at_most_is_sent_twice(call: str) -> None:
    letters = Letters()
    for number in range(4):
        letters.die(number)

    class Cut:
        def __init__(self) -> None:
            self.left = 2

        def __getattr__(self, name: str) -> Any:
            if name == call:
                self.left -= 1
                if self.left < 0:
                    raise CutOffError
            return getattr(letters.sqs, name)

    with pytest.raises(CutOffError):
        letters.redrive("body.number >= 0", sqs=Cut())
    assert letters.redrive("body.number >= 0")["status"] == "COMPLETED"

    returned = letters.numbers(letters.origin)
    assert set(returned) == set(range(4))
    assert len(returned) == (4 if call == "send_message" else 5)


def test_letters_that_die_meanwhile_are_not_touched() -> None:
    letters = Letters()
    letters.die(1)
    early = Time()
    object.__setattr__(early, "now", lambda: 1_000_000_000.0)

    assert letters.redrive("body.number == 1", clock=early) == {
        "queue": "Orders",
        "status": "COMPLETED",
        "moved": 0,
        "left": 0,
        "newer": 1,
    }


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def called(monkeypatch: pytest.MonkeyPatch, letters: Letters, **event: Any) -> Any:
    class NoTasks:
        """moto keeps no message move tasks."""

        def __getattr__(self, name: str) -> Any:
            return (lambda **_: {"Results": []}) if name == "list_message_move_tasks" else getattr(letters.sqs, name)

    monkeypatch.setattr(edge, "client", NoTasks)
    monkeypatch.setenv("QUEUES", json.dumps({"Orders": ["orders", "dead"]}))
    monkeypatch.setenv("QUEUE_ARN_PREFIX", f"{ARN}:")
    monkeypatch.setenv("MESSAGES_PER_SECOND", "500")
    return edge.handler(event, Context())


def test_the_function_takes_the_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = Letters()
    letters.die(1)

    assert called(monkeypatch, letters, action="start", where="body.number == 1")["moved"] == 1


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ({"action": "start", "where": 'reason = "x"'}, "where, at position 8: “=” is not expected here; write “==”."),
        ({"action": "start", "where": 7}, "where is 7; write a filter, such as"),
        ({"action": "status", "where": "age < 2h"}, "A filter belongs to \"start\"; leave `where` out of 'status'."),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], sentence: str
) -> None:
    assert called(monkeypatch, Letters(), **event)["refused"].startswith(sentence)


def test_a_filter_waits_for_a_redrive_of_sqs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Moving:
        def list_message_move_tasks(self, **_: Any) -> dict[str, Any]:
            return {"Results": [{"Status": "RUNNING"}]}

    letters = Letters()
    monkeypatch.setattr(letters, "sqs", Moving())
    monkeypatch.setattr(edge, "client", Moving)
    monkeypatch.setenv("QUEUES", json.dumps({"Orders": ["orders", "dead"]}))
    monkeypatch.setenv("QUEUE_ARN_PREFIX", f"{ARN}:")
    monkeypatch.setenv("MESSAGES_PER_SECOND", "5")

    answer: Any = edge.handler({"action": "start", "where": "age < 2h"}, Context())

    assert answer["refused"].startswith("A redrive of Orders is running")


def test_a_letter_is_read_and_sent_as_the_operators_command_does() -> None:
    from fargate_workers_toolkit.operations.sources import sqs as operators

    message = {
        "MessageId": "1",
        "Body": "{}",
        "ReceiptHandle": "h",
        "Attributes": {"MessageGroupId": "a", "SentTimestamp": "1500", "ApproximateReceiveCount": "3"},
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value}
            for name, value in {"dlq.error": "boom", "dlq.originalMessageId": "0", "tenant": "acme"}.items()
        },
    }
    ours, theirs = dead_letter(message), operators._letter(message)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]

    for name in ("id", "body", "reason", "error", "group", "died_at", "receives", "original_id", "attributes"):
        assert getattr(ours, name) == getattr(theirs, name), name
    marks = {"replay.of": "1", "replay.at": "1970-01-01T00:00:09Z"}
    assert sent_again(ours, queue_url="q.fifo", now=9)["MessageAttributes"] == operators._with_marks(theirs, marks)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    assert sent_again(ours, queue_url="q.fifo", now=9)["MessageDeduplicationId"] == "replay-1"
