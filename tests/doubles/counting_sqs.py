"""A standard SQS queue in memory, which counts whatever is asked of it."""

import heapq
import time
import uuid
from bisect import insort
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

#: Each 64 KB of a request's payload is billed as a request (https://aws.amazon.com/sqs/pricing/).
BILLED_BYTES = 64 * 1024


@dataclass(eq=False, kw_only=True)
class Message:
    """A message and its story, which outlives it. A receipt is good for the latest delivery only."""

    body: str
    attributes: Mapping[str, Any]
    sent_at: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deliveries: int = 0
    first_received_at: float = 0.0
    visible_at: float = 0.0
    deleted: bool = False

    def __post_init__(self) -> None:
        self.md5 = md5(self.body.encode(), usedforsecurity=False).hexdigest()
        self.bytes = len(self.body.encode()) + sum(
            len(name) + len(value["DataType"]) + len(value.get("StringValue", value.get("BinaryValue", "")))
            for name, value in self.attributes.items()
        )

    @property
    def receipt(self) -> str:
        return f"{self.id}.{self.deliveries}"


class Queue:
    """What waits, what is hidden, what is gone, and how it came to that.

    Attributes:
        requests: Requests by action, counted when they arrive; an open poll is one of them.
        open_polls: Receives that have not been answered yet.
        batch_sizes: By action, how many requests had so many entries or brought so many messages.
        billed: Requests as the bill counts them.
        stale_deletes: Deletes with a receipt that a later delivery has replaced; SQS takes them and does nothing.
        needed: Requests up to the latest delete, without the polls that were open then. Divided by the messages, it
            does not depend on when somebody looked.
    """

    def __init__(
        self,
        name: str,
        *,
        visibility_timeout: float = 30,
        dead_letter_queue: "Queue | None" = None,
        max_receive_count: int = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.visibility_timeout = visibility_timeout
        self.dead_letter_queue = dead_letter_queue
        self.max_receive_count = max_receive_count
        self._clock = clock
        self.messages: dict[str, Message] = {}
        self.visible: deque[Message] = deque()
        self._hidden: list[tuple[float, str, Message]] = []  # a heap; entries of other times than visible_at are void

        self.requests: Counter[str] = Counter()
        self.batch_sizes: dict[str, Counter[int]] = {}
        self.open_polls = 0
        self.billed = 0
        self.needed = 0
        self.stale_deletes = 0
        self.redriven = 0
        self.last_request: float | None = None
        self.first_delivery: float | None = None
        self._deleted_at: list[float] = []

    def send(self, body: str, attributes: Mapping[str, Any] | None = None) -> Message:
        message = Message(body=body, attributes=attributes or {})
        self.messages[message.id] = message
        self.visible.append(message)
        return message

    def receive(self, limit: int, *, visibility: float | None = None) -> list[Message]:
        """Deliver up to `limit` messages; move those to the dead-letter queue that were delivered too often."""
        self._show_again()
        now = self._clock()
        taken: list[Message] = []
        while self.visible and len(taken) < limit:
            message = self.visible.popleft()
            if self.dead_letter_queue is not None and message.deliveries >= self.max_receive_count:
                self._redrive(message, self.dead_letter_queue)
                continue
            message.deliveries += 1
            message.first_received_at = message.first_received_at or time.time()
            self._hide(message, now + (self.visibility_timeout if visibility is None else visibility))
            taken.append(message)
        if taken and self.first_delivery is None:
            self.first_delivery = now
        return taken

    def delete(self, receipt: str) -> None:
        self.needed = self.requests.total() - self.open_polls
        message = self._held(receipt)
        if message is None:
            self.stale_deletes += 1
            return
        if message.visible_at <= self._clock() and message in self.visible:
            self.visible.remove(message)  # its time is over, but nobody has taken it since
        message.deleted = True
        insort(self._deleted_at, self._clock())

    def set_visibility(self, receipt: str, seconds: float) -> str | None:
        """Hide a message for so long from now; the error's code if that cannot be."""
        message = self._held(receipt)
        if message is None:
            return "ReceiptHandleIsInvalid"
        if message.visible_at <= self._clock():
            return "MessageNotInflight"
        self._hide(message, self._clock() + seconds)
        return None

    def next_visible_at(self) -> float | None:
        """When a hidden message comes back, as far as is known."""
        return self._hidden[0][0] if self._hidden else None

    def count(self, action: str, *, entries: int | None = None, payload: int = 0) -> None:
        """A request arrived, or (with `entries`) turned out to carry so many messages of `payload` bytes together."""
        if entries is None:
            self.requests[action] += 1
            self.last_request = self._clock()
        else:
            self.batch_sizes.setdefault(action, Counter())[entries] += 1
            self.billed += max(1, -(-payload // BILLED_BYTES))

    def counters(self) -> dict[str, Any]:
        """Everything counted so far, for a program."""
        self._show_again()
        left = [message for message in self.messages.values() if not message.deleted]
        hidden = sum(message.visible_at > self._clock() for message in left)
        return {
            "sent": len(self.messages),
            "deleted": len(self._deleted_at),
            "visible": len(left) - hidden,
            "hidden": hidden,
            "redriven": self.redriven,
            "stale_deletes": self.stale_deletes,
            "requests": dict(self.requests),
            "needed_requests": self.needed,
            "billed_requests": self.billed,
            "batch_sizes": {action: dict(sizes) for action, sizes in self.batch_sizes.items()},
            "deliveries": dict(Counter(message.deliveries for message in self.messages.values())),
            "last_request": self.last_request,
            "first_delivery": self.first_delivery,
            "last_delete": self._deleted_at[-1] if self._deleted_at else None,
            "per_second": self._per_second(),
        }

    def _per_second(self) -> float | None:
        """Deletes per second between the first and the last tenth of them: no start, no last batch that lingers."""
        edge = len(self._deleted_at) // 10
        if not edge:
            return None
        seconds = self._deleted_at[-1 - edge] - self._deleted_at[edge]
        return (len(self._deleted_at) - 1 - 2 * edge) / seconds if seconds else None

    def _held(self, receipt: str) -> Message | None:
        """The message, if that is the receipt of its latest delivery."""
        message = self.messages.get(receipt.partition(".")[0])
        return message if message and not message.deleted and message.receipt == receipt else None

    def _hide(self, message: Message, until: float) -> None:
        message.visible_at = until
        heapq.heappush(self._hidden, (until, message.receipt, message))

    def _show_again(self) -> None:
        now = self._clock()
        while self._hidden and self._hidden[0][0] <= now:
            until, receipt, message = heapq.heappop(self._hidden)
            if not message.deleted and (message.visible_at, message.receipt) == (until, receipt):
                self.visible.append(message)

    def _redrive(self, message: Message, target: "Queue") -> None:
        self.redriven += 1
        del self.messages[message.id]
        target.messages[message.id] = message
        target.visible.append(message)
