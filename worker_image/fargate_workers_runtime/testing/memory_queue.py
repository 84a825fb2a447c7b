"""A queue, in memory."""

import heapq
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fargate_workers_runtime.queue import LONGEST_VISIBILITY, DeadLetter, Failure, Received

#: How long a FIFO queue recognises a deduplication id, in seconds.
_DEDUPLICATION_SECONDS = 300

#: The shortest sleep of a poll, in seconds: a clock that stands still must not keep it awake.
_SHORTEST_SLEEP = 0.01


@dataclass(eq=False, kw_only=True)
class _Group:
    """Messages that are delivered in order: a FIFO group, or a single message of a standard queue.

    Attributes:
        waiting: The visible ones, a heap by `number`.
        hidden: How many are hidden; the group is held up while any is.
        listed: It is in the queue's list of groups that are ready.
    """

    waiting: list["tuple[int, _Stored]"] = field(default_factory=list["tuple[int, _Stored]"])
    hidden: int = 0
    listed: bool = False


@dataclass(eq=False, kw_only=True)
class _Stored:
    """A message; `number` is its place in the order of sending, `visible_at` says until when it is hidden."""

    number: int
    text: str
    group: _Group
    group_id: str | None
    sent_at: float
    attributes: Mapping[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receipt: str = ""
    received_at: float = 0.0
    receive_count: int = 0
    visible_at: float | None = None
    gone: bool = False

    def received(self) -> Received:
        return Received(
            id=self.id,
            text=self.text,
            receipt=self.receipt,
            receive_count=self.receive_count,
            group_id=self.group_id,
            sent_at=self.sent_at,
            attributes=self.attributes,
        )


class MemoryQueue:
    """A queue with SQS's semantics: visibility, receipts that expire, groups in order, a dead-letter queue.

    Args:
        bodies: What it begins with: strings are sent as they are, anything else as JSON.
        fifo: Messages of a group are delivered in order, and none while one of them is being handled.
        max_receive_count: A message delivered this often moves to `dead_letters` instead. Default: 5.
        clock: Seconds since the epoch. Default: the real time; a `Clock` passes when a test says so.

    Attributes:
        dead_letters: What was buried, or moved after too many deliveries (its reason is then `max receive count`).
        visibility_changes: Which delivery was hidden for how many seconds more, or for 0 handed back, in order.
        requests: Calls made, by method: what SQS would bill.
    """

    def __init__(
        self,
        bodies: Iterable[Any] = (),
        *,
        fifo: bool = False,
        max_receive_count: int = 5,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fifo = fifo
        self._max_receive_count = max_receive_count
        self._clock = clock
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._stored: dict[str, _Stored] = {}
        self._by_receipt: dict[str, _Stored] = {}
        self._groups: dict[str | None, _Group] = {}
        self._deduplicated: dict[str, tuple[float, str]] = {}
        # Two heaps, so that a request costs what it carries. Entries that no longer hold are dropped as they come up.
        self._ready: list[tuple[int, _Group]] = []
        self._hidden: list[tuple[float, int, _Stored]] = []
        self.dead_letters: list[DeadLetter] = []
        self.visibility_changes: list[tuple[Received, int]] = []
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
        with self._changed:
            self._show()
            return sum(bool(stored.receipt) and stored.visible_at is not None for stored in self._stored.values())

    @property
    def seconds_to_next(self) -> float | None:
        """Until a message can be received: 0 if one can, None if the queue is empty."""
        with self._changed:
            self._show()
            now = self._clock()
            return min(
                (
                    0.0 if stored.visible_at is None else stored.visible_at - now
                    for stored in self._stored.values()
                    if stored.visible_at is not None or not stored.group.hidden
                ),
                default=None,
            )

    def send(
        self,
        body: Any,
        *,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        delay: float = 0,
        attributes: Mapping[str, str] | None = None,
    ) -> str:
        """Send a message; returns its id.

        Args:
            group_id: The message group, in a FIFO queue.
            deduplication_id: A FIFO queue takes a second message with it for the first, for five minutes.
            delay: Seconds before it can be received, in a standard queue.
            attributes: String attributes.

        Raises:
            ValueError: SQS would refuse this kind of queue that argument.
        """
        if self._fifo and delay:
            raise ValueError("A FIFO queue takes no delay for a single message; send it without.")
        if deduplication_id is not None and not self._fifo:
            raise ValueError("A standard queue takes no deduplication_id; make it MemoryQueue(fifo=True).")
        with self._changed:
            now = self._clock()
            sent_at, first = self._deduplicated.get(deduplication_id or "", (0.0, ""))
            if first and now - sent_at < _DEDUPLICATION_SECONDS:
                return first
            stored = _Stored(
                number=next(self._numbers),
                text=body if isinstance(body, str) else json.dumps(body),
                group=self._groups.setdefault(group_id, _Group()) if self._fifo else _Group(),
                group_id=group_id,
                sent_at=now,
                attributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in (attributes or {}).items()
                },
            )
            self._stored[stored.id] = stored
            if deduplication_id is not None:
                self._deduplicated[deduplication_id] = (now, stored.id)
            self._hide(stored, delay) if delay else self._wait(stored)
            self._changed.notify_all()
            return stored.id

    def receive(self, limit: int, *, wait: float, visibility: int) -> list[Received]:
        deadline = time.monotonic() + wait
        with self._changed:
            self.requests["receive"] += 1
            while not (received := self._deliver(limit, visibility)):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                next_at = self._hidden[0][0] - self._clock() if self._hidden else left
                self._changed.wait(min(left, max(_SHORTEST_SLEEP, next_at)))
            return received

    def delete(self, receipts: Sequence[str]) -> list[Failure]:
        with self._changed:
            self.requests["delete"] += 1
            for receipt in receipts:
                # SQS takes an old receipt without complaint, and leaves the message alone.
                if stored := self._by_receipt.get(receipt):
                    self._remove(stored)
            self._changed.notify_all()
        return []

    def set_visibility(self, changes: Sequence[tuple[str, int]]) -> list[Failure]:
        failures: list[Failure] = []
        with self._changed:
            self.requests["set_visibility"] += 1
            self._show()
            for index, (receipt, seconds) in enumerate(changes):
                stored = self._by_receipt.get(receipt)
                if stored is None:
                    failures.append(Failure(index=index, permanent=True, code="ReceiptHandleIsInvalid"))
                elif stored.visible_at is None:
                    failures.append(Failure(index=index, permanent=True, code="MessageNotInflight"))
                elif self._clock() + seconds > stored.received_at + LONGEST_VISIBILITY:
                    failures.append(Failure(index=index, permanent=True, code="InvalidParameterValue"))
                else:
                    self._hide(stored, seconds)
                    self.visibility_changes.append((stored.received(), seconds))
            self._changed.notify_all()
        return failures

    def bury(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        with self._changed:
            self.requests["bury"] += 1
            self.dead_letters += letters
        return []

    # All below run while `_changed` is held.

    def _deliver(self, limit: int, visibility: int) -> list[Received]:
        self._show()
        now = self._clock()
        delivered: list[Received] = []
        mine: list[_Group] = []  # held up from now on, but not for the rest of this request
        while self._ready and len(delivered) < limit:
            _, group = heapq.heappop(self._ready)
            group.listed = False
            if group.hidden and group not in mine:
                continue
            _, stored = heapq.heappop(group.waiting)
            if not stored.gone and stored.receive_count >= self._max_receive_count:
                self.dead_letters.append(DeadLetter(received=stored.received(), reason="max receive count"))
                self._remove(stored)
            elif not stored.gone:
                self._by_receipt.pop(stored.receipt, None)
                stored.receipt = str(uuid.uuid4())
                stored.received_at = now
                stored.receive_count += 1
                self._by_receipt[stored.receipt] = stored
                self._hide(stored, visibility)
                mine.append(group)
                delivered.append(stored.received())
            self._list(group)
        return delivered

    def _show(self) -> None:
        """Let those be visible whose time has come."""
        now = self._clock()
        while self._hidden and self._hidden[0][0] <= now:
            visible_at, _, stored = heapq.heappop(self._hidden)
            if stored.visible_at == visible_at and not stored.gone:
                stored.visible_at = None
                stored.group.hidden -= 1
                self._wait(stored)

    def _wait(self, stored: _Stored) -> None:
        heapq.heappush(stored.group.waiting, (stored.number, stored))
        if not stored.group.hidden:
            self._list(stored.group)

    def _list(self, group: _Group) -> None:
        if group.waiting and not group.listed:
            group.listed = True
            heapq.heappush(self._ready, (group.waiting[0][0], group))

    def _hide(self, stored: _Stored, seconds: float) -> None:
        if stored.visible_at is None:
            stored.group.hidden += 1
        stored.visible_at = self._clock() + seconds
        heapq.heappush(self._hidden, (stored.visible_at, next(self._numbers), stored))

    def _remove(self, stored: _Stored) -> None:
        stored.gone = True
        del self._stored[stored.id]
        self._by_receipt.pop(stored.receipt, None)
        if stored.visible_at is not None:
            stored.visible_at = None
            stored.group.hidden -= 1
        if not stored.group.hidden:
            self._list(stored.group)
