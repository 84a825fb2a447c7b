"""Strict SQS queues in memory: they promise no more than SQS does, and refuse what it refuses.

`StandardQueue` delivers in no order and, when asked to, more than once; `FifoQueue` locks a group while any of its
messages is in flight. Each keeps the story of every message, for the checker. test_sqs.py names each rule's source.
"""

import hashlib
import heapq
import random
import re
import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BATCH = 10
MAX_BYTES = 1024 * 1024
LONGEST_VISIBILITY = 12 * 3600
DEDUPLICATION_SECONDS = 300
_MAX_ATTRIBUTES = 10

_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class RefusedError(Exception):
    """What SQS answers instead: the error's code and a sentence. The sender is always to blame."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(eq=False)
class Delivery:
    """One delivery of a message.

    Attributes:
        at: When, by the queue's clock.
        to: Who received it.
        receipt: What it may be ended with.
        heard: Whether the answer reached the receiver, as far as is known.
        changes: Each change of its visibility: when, and to how many seconds.
    """

    at: float
    to: str
    receipt: str
    heard: bool = True
    changes: list[tuple[float, int]] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Message:
    """A message and its story, which outlives it."""

    id: str
    body: str
    attributes: Mapping[str, Any]
    sent_at: float
    sent_by: str
    sent_epoch: float
    first_received_epoch: float = 0.0
    group: str | None = None
    deduplication_id: str | None = None
    number: int = 0
    heard: bool = True
    again: int = 0
    deliveries: list[Delivery] = field(default_factory=list)
    visible_at: float = 0.0
    hidden_as: int = 0
    deleted_at: float | None = None
    moved_at: float | None = None

    @property
    def gone(self) -> bool:
        return self.deleted_at is not None or self.moved_at is not None

    @property
    def receipt(self) -> str | None:
        """The newest, which alone works."""
        return self.deliveries[-1].receipt if self.deliveries else None

    @property
    def story(self) -> dict[str, Any]:
        """For the checker, as JSON."""
        return {
            "id": self.id,
            "body": self.body,
            "group": self.group,
            "number": self.number,
            "reason": self.attributes.get("dlq.reason", {}).get("StringValue", ""),
            "original": self.attributes.get("dlq.originalMessageId", {}).get("StringValue", ""),
            "sent_at": self.sent_at,
            "sent_by": self.sent_by,
            "heard": self.heard,
            "again": self.again,
            "deliveries": [[each.at, each.to, each.heard, each.changes] for each in self.deliveries],
            "visible_at": self.visible_at,
            "deleted_at": self.deleted_at,
            "moved_at": self.moved_at,
        }


class Queue:
    """What the two kinds share.

    Args:
        visibility_timeout: Seconds.
        max_receive_count: Deliveries, after which a message moves to `dead_letter_queue` instead of being delivered.
        chance: What decides where SQS leaves it open.
    """

    def __init__(
        self,
        name: str,
        *,
        visibility_timeout: float = 30,
        dead_letter_queue: "Queue | None" = None,
        max_receive_count: int = 5,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self.name = name
        self.visibility_timeout = visibility_timeout
        self.dead_letter_queue = dead_letter_queue
        self.max_receive_count = max_receive_count
        self.messages: dict[str, Message] = {}
        self.deleted = 0
        self._clock = clock
        self._chance = chance or random.Random(0)
        self._hidden: list[tuple[float, int, Message]] = []  # a heap; an entry that is not its message's last is void
        self._hides = 0

    # What SQS is asked for

    def send(
        self,
        body: str,
        *,
        attributes: Mapping[str, Any] | None = None,
        group: str | None = None,
        deduplication_id: str | None = None,
        by: str = "",
    ) -> Message:
        """Take a message in.

        Raises:
            RefusedError: SQS would not take it.
        """
        check_message(body, attributes or {})
        message = Message(
            id=str(uuid.uuid4()),
            body=body,
            attributes=attributes or {},
            sent_at=self._clock(),
            sent_by=by,
            sent_epoch=time.time(),
            group=group,
            deduplication_id=deduplication_id,
            number=len(self.messages),
        )
        self.messages[message.id] = message
        self.show(message)
        return message

    def receive(
        self, limit: int, *, visibility: int | None = None, to: str = "", attempt_id: str | None = None
    ) -> list[Message]:
        """Deliver up to `limit` messages; move those to the dead-letter queue that were delivered too often."""
        if not 1 <= limit <= BATCH:
            raise RefusedError(
                "InvalidParameterValue", f"MaxNumberOfMessages is {limit}; it must be from 1 to {BATCH}."
            )
        seconds = self.visibility_timeout if visibility is None else visibility
        _check_visibility(seconds)
        self._show_again()
        return [self._deliver(message, seconds, to) for message in self._take(limit)]

    def delete(self, receipt: str) -> None:
        """Delete the message of this receipt."""
        if message := self._in_flight(receipt):
            self._remove(message)
            message.deleted_at = self._clock()
            self.deleted += 1

    def set_visibility(self, receipt: str, seconds: int) -> None:
        """Hide a message for so long from now; 0 shows it at once."""
        _check_visibility(seconds)
        message = self._found(receipt)
        now = self._clock()
        if message is None or message.gone or message.receipt != receipt:
            raise RefusedError("ReceiptHandleIsInvalid", "The receipt handle is not the newest of a message.")
        self._show_again()
        if message.visible_at <= now:
            raise RefusedError("MessageNotInflight", "The message is not in flight.")
        delivery = message.deliveries[-1]
        if now + seconds > delivery.at + LONGEST_VISIBILITY:
            raise RefusedError("InvalidParameterValue", "Total VisibilityTimeout for the message is beyond the limit.")
        delivery.changes.append((now, seconds))
        self._hide(message, now + seconds)
        self._show_again()

    # What the chaos run asks for

    def counts(self) -> dict[str, int]:
        """How many messages are visible, in flight, and deleted."""
        left = [message for message in self.messages.values() if not message.gone]
        now = self._clock()
        hidden = sum(message.visible_at > now for message in left)
        return {"visible": len(left) - hidden, "hidden": hidden, "deleted": self.deleted, "sent": len(self.messages)}

    def next_visible_at(self) -> float | None:
        """When a hidden message comes back, as far as is known."""
        return self._hidden[0][0] if self._hidden else None

    # Shelves

    def show(self, message: Message) -> None:
        """It can be delivered."""
        raise NotImplementedError

    def _take(self, limit: int) -> Iterator[Message]:
        """Messages to deliver now, off the shelf."""
        raise NotImplementedError

    def _in_flight(self, receipt: str) -> Message | None:
        """The message to delete; None if SQS would take the request and do nothing."""
        raise NotImplementedError

    def _remove(self, message: Message) -> None:
        """It is deleted: off the shelf."""
        raise NotImplementedError

    def _deliver(self, message: Message, seconds: float, to: str) -> Message:
        now = self._clock()
        receipt = f"{message.id}.{len(message.deliveries) + 1}"
        message.first_received_epoch = message.first_received_epoch or time.time()
        message.deliveries.append(Delivery(at=now, to=to, receipt=receipt))
        self._hide(message, now + seconds)
        return message

    def _hide(self, message: Message, until: float) -> None:
        self._hides += 1
        message.visible_at, message.hidden_as = until, self._hides
        heapq.heappush(self._hidden, (until, self._hides, message))

    def _show_again(self) -> None:
        now = self._clock()
        while self._hidden and self._hidden[0][0] <= now:
            _, hidden_as, message = heapq.heappop(self._hidden)
            if not message.gone and message.hidden_as == hidden_as:
                self.show(message)

    def _may_be_delivered(self, message: Message) -> bool:
        """Whether it is there, and not delivered too often; if it was, it moves."""
        if message.gone:
            return False
        if self.dead_letter_queue is None or len(message.deliveries) < self.max_receive_count:
            return True
        message.moved_at = self._clock()
        letter = Message(
            **{**message.__dict__, "deliveries": [], "moved_at": None, "visible_at": 0.0, "first_received_epoch": 0.0}
        )
        letter.attributes = {**message.attributes}
        letter.sent_at = self._clock()
        letter.sent_by = "SQS"
        self.dead_letter_queue.messages[letter.id] = letter
        self.dead_letter_queue.show(letter)
        return False

    def _found(self, receipt: str) -> Message | None:
        return self.messages.get(receipt.rpartition(".")[0])


class StandardQueue(Queue):
    """At least once, in no order. `again` of a thousand deletes leave a copy behind, which is delivered once more."""

    again = 0

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._visible: deque[Message] = deque()

    def show(self, message: Message) -> None:
        self._visible.append(message)
        # A message is stored on some of many servers, and a receive asks a sample of them: order is a coincidence.
        if len(self._visible) > 1 and self._chance.random() < 0.2:
            self._visible.rotate(1)

    def _take(self, limit: int) -> Iterator[Message]:
        limit = limit if self._chance.random() < 0.7 else self._chance.randint(1, limit)
        taken = 0
        while self._visible and taken < limit:
            message = self._visible.popleft()
            if self._may_be_delivered(message):
                taken += 1
                yield message

    def _in_flight(self, receipt: str) -> Message | None:
        message = self._found(receipt)
        return message if message and not message.gone and message.receipt == receipt else None

    def _remove(self, message: Message) -> None:
        if message.visible_at <= self._clock() and message in self._visible:
            self._visible.remove(message)  # its time is over, but nobody has taken it since

    def delete(self, receipt: str) -> None:
        message = self._in_flight(receipt)
        super().delete(receipt)
        if message and self._chance.random() * 1000 < self.again:
            message.deleted_at = None
            message.again += 1
            self.deleted -= 1
            self._hide(message, self._clock() + self._chance.uniform(0, 2))


class FifoQueue(Queue):
    """In order and, within five minutes, once."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self._groups: dict[str, deque[Message]] = {}
        self._locked: dict[str, int] = {}  # messages in flight, by group
        self._ready: OrderedDict[str, None] = OrderedDict()  # groups that can be delivered from, longest waiting first
        self._accepted: dict[str, tuple[float, Message]] = {}  # by deduplication id
        self._attempts: dict[str, tuple[float, float, list[tuple[Message, str, int]]]] = {}

    def send(
        self,
        body: str,
        *,
        attributes: Mapping[str, Any] | None = None,
        group: str | None = None,
        deduplication_id: str | None = None,
        by: str = "",
    ) -> Message:
        if not group:
            raise RefusedError("MissingParameter", "The request must contain the parameter MessageGroupId.")
        if not deduplication_id:
            raise RefusedError(
                "InvalidParameterValue", "The queue needs a MessageDeduplicationId; it does not make its own."
            )
        accepted = self._accepted.get(deduplication_id)
        if accepted and self._clock() - accepted[0] < DEDUPLICATION_SECONDS:
            return accepted[1]
        message = super().send(body, attributes=attributes, group=group, deduplication_id=deduplication_id, by=by)
        self._accepted[deduplication_id] = (self._clock(), message)
        return message

    def receive(
        self, limit: int, *, visibility: int | None = None, to: str = "", attempt_id: str | None = None
    ) -> list[Message]:
        if attempt_id and (again := self._same_again(attempt_id)):
            return again
        messages = super().receive(limit, visibility=visibility, to=to)
        if attempt_id and messages:
            seconds = self.visibility_timeout if visibility is None else visibility
            taken = [(message, str(message.receipt), 0) for message in messages]
            self._attempts[attempt_id] = (self._clock(), seconds, taken)
        return messages

    def _same_again(self, attempt_id: str) -> list[Message]:
        """What the same receive brought before, if nothing has happened to it since."""
        at, seconds, taken = self._attempts.get(attempt_id, (0.0, 0.0, []))
        untouched = all(
            not message.gone and message.receipt == receipt and len(message.deliveries[-1].changes) == changes
            for message, receipt, changes in taken
        )
        now = self._clock()
        if not taken or not untouched or now - at > DEDUPLICATION_SECONDS or taken[0][0].visible_at <= now:
            return []
        for message, _, _ in taken:
            self._hide(message, now + seconds)
        return [message for message, _, _ in taken]

    def show(self, message: Message) -> None:
        group = str(message.group)
        if not message.deliveries:  # new
            self._groups.setdefault(group, deque()).append(message)
        else:
            self._unlock(group)
        if not self._locked.get(group):
            self._ready.setdefault(group)

    def _take(self, limit: int) -> Iterator[Message]:
        left = limit
        for group in list(self._ready):
            if left == 0:
                return
            messages = self._groups[group]
            taken = 0
            for message in list(messages):
                if taken == left:
                    break
                if self._may_be_delivered(message):
                    taken += 1
                    yield message
                else:
                    messages.remove(message)
            left -= taken
            if taken:
                self._locked[group] = taken
            del self._ready[group]
            if not messages:
                del self._groups[group]

    def _in_flight(self, receipt: str) -> Message | None:
        message = self._found(receipt)
        if message is None or message.gone:
            return None
        self._show_again()
        if message.receipt != receipt or message.visible_at <= self._clock():
            raise RefusedError("ReceiptHandleIsInvalid", "The receipt handle has expired.")
        return message

    def _remove(self, message: Message) -> None:
        group = str(message.group)
        self._groups[group].remove(message)
        if not self._groups[group]:
            del self._groups[group]
        self._unlock(group)

    def _unlock(self, group: str) -> None:
        self._locked[group] -= 1
        if self._locked[group] == 0:
            del self._locked[group]
            if group in self._groups:
                self._ready.setdefault(group)


def check_batch(entries: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a batch as a whole."""
    if not entries:
        raise RefusedError("EmptyBatchRequest", "The batch has no entries.")
    if len(entries) > BATCH:
        raise RefusedError("TooManyEntriesInBatchRequest", f"The batch has {len(entries)} entries; ten are allowed.")
    if len({entry["Id"] for entry in entries}) < len(entries):
        raise RefusedError("BatchEntryIdsNotDistinct", "Two entries of the batch have one Id.")
    if not all(_ENTRY_ID.fullmatch(entry["Id"]) for entry in entries):
        raise RefusedError("InvalidBatchEntryId", "An Id has letters, digits, hyphens and underscores, 80 at most.")
    if (
        sum(
            size(entry["MessageBody"], entry.get("MessageAttributes", {}))
            for entry in entries
            if "MessageBody" in entry
        )
        > MAX_BYTES
    ):
        raise RefusedError("BatchRequestTooLong", f"The batch is larger than {MAX_BYTES} bytes.")


def check_message(body: str, attributes: Mapping[str, Any]) -> None:
    """Refuse a message."""
    if not body or size(body, attributes) > MAX_BYTES:
        raise RefusedError("InvalidParameterValue", f"A message has from 1 to {MAX_BYTES} bytes.")
    if _FORBIDDEN.search(body):
        raise RefusedError("InvalidMessageContents", "The body has characters that XML does not allow.")
    if len(attributes) > _MAX_ATTRIBUTES:
        raise RefusedError("InvalidParameterValue", f"A message has {_MAX_ATTRIBUTES} attributes at most.")
    for name, value in attributes.items():
        if not value.get("DataType") or not (value.get("StringValue") or value.get("BinaryValue")):
            raise RefusedError("InvalidParameterValue", f"The attribute {name} has no type, or no value.")


def size(body: str, attributes: Mapping[str, Any]) -> int:
    """Bytes that SQS counts: the body, and each attribute's name, type and value."""
    return len(body.encode()) + sum(
        len(name) + len(value["DataType"]) + len(str(value.get("StringValue", value.get("BinaryValue", ""))).encode())
        for name, value in attributes.items()
    )


def md5(body: str) -> str:
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()


def _check_visibility(seconds: float) -> None:
    if not 0 <= seconds <= LONGEST_VISIBILITY:
        raise RefusedError("InvalidParameterValue", f"VisibilityTimeout is {seconds}; it must be from 0 to 43200.")
