"""Queues of moto with dead letters in them, and a clock that tests move."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends

from fargate_workers_toolkit.operations.places import Aws, Place
from fargate_workers_toolkit.operations.sources import DeadLetter, DeadLetterStore, Depth, open_source

REGION = "eu-west-1"
PLACE = Place(
    environment="test",
    account=DEFAULT_ACCOUNT_ID,
    region=REGION,
    production=False,
    named_by="environments/test.toml",
)


@dataclass
class MovedClock:
    """A clock that moves when somebody waits."""

    moment: float = 2_000_000_000.0
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> float:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += seconds


@dataclass
class Queues:
    """A queue and its dead-letter queue."""

    aws: Aws
    url: str
    dead_letter_url: str

    @property
    def sqs(self) -> Any:
        return self.aws.client("sqs")

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the worker's container."""
        return {"QUEUE_URL": self.url, "DEAD_LETTER_QUEUE_URL": self.dead_letter_url}

    @property
    def store(self) -> DeadLetterStore:
        store = open_source(self.aws, self.variables, worker="Orders").dead_letters
        assert store is not None
        return store

    def die(self, number: int, *, reason: str | None = "schema: /amount", **options: Any) -> str:
        """Put one letter there, as a worker does, or as SQS does when there is no reason."""
        said: Mapping[str, str] = (
            {}
            if reason is None
            else {
                "dlq.reason": reason,
                "dlq.error": "-1 is less than 0",
                "dlq.originalMessageId": f"before-{number}",
                "dlq.receiveCount": "10",
            }
        )
        attributes = {"tenant": f"tenant-{number % 2}", **said}
        return self.sqs.send_message(
            QueueUrl=self.dead_letter_url,
            MessageBody=json.dumps({"order": number, "amount": number - 5}),
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
            **options,
        )["MessageId"]

    def bodies(self, url: str) -> list[int]:
        """The orders that lie in a queue, in its order, hidden ones as well."""
        return [json.loads(message.body)["order"] for message in self._messages(url)]

    def hidden(self, url: str) -> int:
        return sum(not message.visible for message in self._messages(url))

    def show_all(self, url: str) -> None:
        """Let the time of every lease pass."""
        for message in self._messages(url):
            message.change_visibility(0)
        self._queue(url)._pending_messages.clear()  # noqa: SLF001  moto's

    def attributes(self, url: str) -> list[dict[str, str]]:
        return [
            {name: value["StringValue"] for name, value in message.message_attributes.items()}
            for message in self._messages(url)
        ]

    def _messages(self, url: str) -> list[Any]:
        queue = self._queue(url)
        every = queue._messages  # noqa: SLF001  moto's
        return [message for message in every if message not in queue.deleted_messages]

    def _queue(self, url: str) -> Any:
        return sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues[url.rpartition("/")[2]]


class MemoryStore:
    """Dead letters in memory, first in, first out: another source than SQS."""

    name = "orders-dead"
    origin = "orders"

    def __init__(self, clock: MovedClock, *, letters: int, ordered: bool = False) -> None:
        self.ordered = ordered
        self.letters: list[DeadLetter] = []
        self.leased: set[str] = set()
        self.sent: list[DeadLetter] = []
        self._clock = clock
        self._ids = itertools.count()
        for number in range(letters):
            self.add(json.dumps({"order": number}))

    def add(self, body: str, *, original_id: str = "", reason: str = "schema") -> DeadLetter:
        name = f"letter-{next(self._ids)}"
        letter = DeadLetter(
            id=name,
            body=body,
            reason=reason,
            error="",
            group=None,
            died_at=self._clock.now(),
            receives=10,
            original_id=original_id,
            attributes={},
            token=name,
            native={},
        )
        self.letters.append(letter)
        return letter

    def depth(self) -> Depth:
        return Depth(waiting=len(self.letters) - len(self.leased), in_flight=len(self.leased))

    def lease(self, *, seconds: int, wait: int) -> list[DeadLetter]:
        del seconds, wait
        found = [letter for letter in self.letters if letter.id not in self.leased][:10]
        self.leased.update(letter.id for letter in found)
        return found

    def release(self, tokens: Sequence[str]) -> None:
        self.leased.difference_update(tokens)

    def send_back(self, letter: DeadLetter, *, marks: Mapping[str, str]) -> str:
        del marks
        self.sent.append(letter)
        return f"sent-{len(self.sent)}"

    def delete(self, letter: DeadLetter) -> None:
        self.letters.remove(letter)
        self.leased.discard(letter.id)


@contextmanager
def queues(*, fifo: bool = False, place: Place = PLACE, name: str = "orders") -> Iterator[Queues]:
    """Make both queues."""
    aws = Aws(place)
    sqs = aws.client("sqs")
    suffix = ".fifo" if fifo else ""
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
    urls = [
        sqs.create_queue(QueueName=f"{each}{suffix}", Attributes=attributes)["QueueUrl"]
        for each in (name, f"{name}-dead")
    ]
    yield Queues(aws, *urls)


@contextmanager
def mocked(*, fifo: bool = False) -> Iterator[Queues]:
    with mock_aws(), queues(fifo=fifo) as made:
        yield made
