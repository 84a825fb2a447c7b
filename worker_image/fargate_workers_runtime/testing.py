"""A queue and claims in memory, for tests of handlers. The tests that hold for SQS and DynamoDB hold for them.

from fargate_workers_runtime import run_once
from fargate_workers_runtime.testing import MemoryQueue

def test_an_order_is_shipped() -> None:
    queue = MemoryQueue([{"order_id": "1"}])
    run_once(handle, queue=queue, schema=ORDER_SCHEMA)
    assert queue.empty
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fargate_workers_runtime.claims import CLOCK_SKEW, KEEP_SECONDS, Claim
from fargate_workers_runtime.queue import DeadLetter, Failure, Received


@dataclass(eq=False, kw_only=True)
class _Stored:
    text: str
    group_id: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receipt: str = ""
    visible_at: float = 0.0
    receive_count: int = 0


class MemoryQueue:
    """A queue with SQS's semantics: visibility, receipts that expire, groups in order, a dead-letter queue.

    Args:
        bodies: What it begins with: strings are sent as they are, anything else as JSON.
        fifo: Messages of a group are delivered in order, and none while one of them is being handled.
        max_receive_count: A message delivered this often moves to `dead_letters` instead. Default: 5.

    Attributes:
        dead_letters: What was buried, or moved after too many deliveries (its reason is then `max receive count`).
        requests: Calls made, by method: what SQS would bill.
    """

    def __init__(
        self,
        bodies: Iterable[Any] = (),
        *,
        fifo: bool = False,
        max_receive_count: int = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fifo = fifo
        self._max_receive_count = max_receive_count
        self._clock = clock
        self._changed = threading.Condition()
        self._stored: list[_Stored] = []
        self.dead_letters: list[DeadLetter] = []
        self.requests: dict[str, int] = {"receive": 0, "delete": 0, "set_visibility": 0, "bury": 0}
        for body in bodies:
            self.send(body)

    @property
    def fifo(self) -> bool:
        return self._fifo

    @property
    def has_dead_letter_queue(self) -> bool:
        return True

    @property
    def empty(self) -> bool:
        """Every message has been deleted."""
        return not self._stored

    @property
    def hidden(self) -> int:
        """Messages that are delivered and not yet visible again."""
        return sum(stored.visible_at > self._clock() for stored in self._stored)

    def send(self, body: Any, *, group_id: str | None = None) -> str:
        """Send a message; returns its id."""
        stored = _Stored(text=body if isinstance(body, str) else json.dumps(body), group_id=group_id)
        with self._changed:
            self._stored.append(stored)
            self._changed.notify_all()
        return stored.id

    def receive(self, limit: int, *, wait: int, visibility: int) -> list[Received]:
        with self._changed:
            self.requests["receive"] += 1
            self._changed.wait_for(lambda: bool(self._deliverable()), timeout=wait)
            return [self._deliver(stored, visibility) for stored in self._deliverable()[:limit]]

    def delete(self, receipts: Sequence[str]) -> list[Failure]:
        with self._changed:
            self.requests["delete"] += 1
            ended = set(receipts)  # SQS takes an old receipt without complaint, and leaves the message alone
            self._stored = [stored for stored in self._stored if not (stored.receipt and stored.receipt in ended)]
            self._changed.notify_all()
        return []

    def set_visibility(self, changes: Sequence[tuple[str, int]]) -> list[Failure]:
        failures: list[Failure] = []
        with self._changed:
            self.requests["set_visibility"] += 1
            for index, (receipt, seconds) in enumerate(changes):
                stored = next((each for each in self._stored if each.receipt == receipt), None)
                if stored is None:
                    failures.append(Failure(index=index, permanent=True, code="ReceiptHandleIsInvalid"))
                else:
                    stored.visible_at = self._clock() + seconds
            self._changed.notify_all()
        return failures

    def bury(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        with self._changed:
            self.requests["bury"] += 1
            self.dead_letters += letters
        return []

    def _deliverable(self) -> list[_Stored]:
        now = self._clock()
        for stored in [
            each for each in self._stored if each.receive_count >= self._max_receive_count and each.visible_at <= now
        ]:
            self._stored.remove(stored)
            self.dead_letters.append(DeadLetter(received=_received(stored), reason="max receive count"))
        busy = (
            {stored.group_id for stored in self._stored if stored.visible_at > now} if self._fifo else set[str | None]()
        )
        return [stored for stored in self._stored if stored.visible_at <= now and stored.group_id not in busy]

    def _deliver(self, stored: _Stored, visibility: int) -> Received:
        stored.receipt = str(uuid.uuid4())
        stored.visible_at = self._clock() + visibility
        stored.receive_count += 1
        return _received(stored)


def _received(stored: _Stored) -> Received:
    return Received(
        id=stored.id,
        text=stored.text,
        receipt=stored.receipt,
        receive_count=stored.receive_count,
        group_id=stored.group_id,
    )


@dataclass(kw_only=True)
class _Item:
    owner: str
    leased_until: float
    forgotten_at: float
    payload: str
    attempts: int
    completed: bool = False


class MemoryClaims:
    """Claims with the rules of `DynamoDbClaims`, in memory."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._items: dict[str, _Item] = {}

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "") -> Claim:
        now = self._clock()
        with self._lock:
            item = self._items.get(key)
            lapsed = item is not None and not item.completed and item.leased_until < now - CLOCK_SKEW
            if item is None or item.forgotten_at < now or lapsed:
                attempts = item.attempts + 1 if item else 1
                leased_until = now + seconds - CLOCK_SKEW
                self._items[key] = _Item(
                    owner=owner,
                    leased_until=leased_until,
                    forgotten_at=now + KEEP_SECONDS,
                    payload=payload,
                    attempts=attempts,
                )
                return Claim(state="granted", attempt=attempts, payload=payload)
            if item.completed:
                return Claim(state="completed", attempt=item.attempts, payload=item.payload)
            if item.owner == owner:
                return Claim(state="granted", attempt=item.attempts, payload=payload)
            seconds_left = max(0.0, item.leased_until + CLOCK_SKEW - now)
            return Claim(state="held", attempt=item.attempts, seconds_left=seconds_left, payload=item.payload)

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        with self._lock:
            if (item := self._mine(key, owner)) is None:
                return False
            item.leased_until = self._clock() + seconds - CLOCK_SKEW
            return True

    def complete(self, key: str, *, owner: str) -> bool:
        with self._lock:
            item = self._items.get(key)
            if item is None or item.owner != owner:
                return False
            item.completed, item.forgotten_at = True, self._clock() + KEEP_SECONDS
            return True

    def release(self, key: str, *, owner: str) -> None:
        with self._lock:
            if (item := self._mine(key, owner)) is not None:
                item.leased_until = 0

    def _mine(self, key: str, owner: str) -> _Item | None:
        item = self._items.get(key)
        return item if item and item.owner == owner and not item.completed else None
