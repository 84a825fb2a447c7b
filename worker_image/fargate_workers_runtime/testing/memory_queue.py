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

from fargate_workers_runtime.brokers import Capabilities, DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.sqs import BATCH, LONGEST_VISIBILITY

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
    """A message; `number` is its place in the order of sending, `visible_at` is when it stops being hidden."""

    number: int
    text: str
    group: _Group
    group_id: str | None
    tenant: str | None
    sent_at: float
    attributes: Mapping[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    token: str = ""
    received_at: float = 0.0
    first_received_at: float | None = None
    receive_count: int = 0
    visible_at: float | None = None
    gone: bool = False

    def delivery(self) -> Delivery:
        return Delivery(
            id=self.id,
            text=self.text,
            token=self.token,
            receive_count=self.receive_count,
            group_id=self.group_id,
            tenant=self.tenant,
            sent_at=self.sent_at,
            since_first=None if self.first_received_at is None else self.received_at - self.first_received_at,
            attributes=self.attributes,
        )


class MemoryQueue:
    """A broker with SQS's semantics: leases that end, tokens that expire, groups in order, a dead-letter queue.

    Args:
        bodies: The first messages: strings are sent as they are, anything else as JSON. Default: none.
        fifo: Messages of a group are delivered in order, and none while one of them is being handled. Default: False.
        max_receive_count: A message delivered this often moves to `dead_letters` instead. Default: 100.
        clock: Seconds since the epoch. Default: the real time; a test advances a `Clock`.

    Attributes:
        dead_letters: What `dead_letter` stored, or moved after too many deliveries (its reason is then `max receive
            count`).
        released: Which delivery was released, and for how many seconds, in order.
        requests: Calls made, by method: what SQS would bill.
    """

    def __init__(
        self,
        bodies: Iterable[Any] = (),
        *,
        fifo: bool = False,
        max_receive_count: int = 100,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fifo = fifo
        self._max_receive_count = max_receive_count
        self._clock = clock
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._stored: dict[str, _Stored] = {}
        self._by_token: dict[str, _Stored] = {}
        self._groups: dict[str | None, _Group] = {}
        self._deduplicated: dict[str, tuple[float, str]] = {}
        # Two heaps, so that a request costs what it carries. Entries that no longer hold are dropped as they come up.
        self._ready: list[tuple[int, _Group]] = []
        self._hidden: list[tuple[float, int, _Stored]] = []
        self.dead_letters: list[DeadLetter] = []
        self.released: list[tuple[Delivery, int]] = []
        self.requests: dict[str, int] = dict.fromkeys(("receive", "extend", "acknowledge", "release", "dead_letter"), 0)
        for body in bodies:
            self.send(body)

    @property
    def capabilities(self) -> Capabilities:
        """The capabilities of SQS; groups are in order if `fifo` is set."""
        return Capabilities(
            largest_batch=BATCH,
            longest_lease=LONGEST_VISIBILITY,
            renews_leases=True,
            orders_groups=self._fifo,
            counts_deliveries=True,
            one_reader=False,
            dead_letters=True,
        )

    @property
    def empty(self) -> bool:
        """Whether every message has been acknowledged."""
        return not self._stored

    @property
    def stored(self) -> list[Delivery]:
        """Every message that has not been acknowledged, as it was last delivered, in the order of sending."""
        with self._changed:
            return [message.delivery() for message in self._stored.values()]

    @property
    def hidden(self) -> int:
        """Messages that are delivered and not yet visible again."""
        return self.lag().leased

    @property
    def seconds_to_next(self) -> float | None:
        """Seconds until a message can be received: 0 if one can now, None if the queue is empty."""
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
        """A further message in the queue; returns its id.

        Args:
            body: The payload: a string is sent as it is, anything else as JSON.
            group_id: The message group in a FIFO queue, the tenant in a standard one. Default: none.
            deduplication_id: A FIFO queue takes a second message with it for the first, for five minutes. Default:
                none.
            delay: Seconds before it can be received, in a standard queue. Default: 0.
            attributes: String attributes. Default: none.

        Raises:
            ValueError: This kind of queue does not take the delay, or the deduplication id.
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
                group_id=group_id if self._fifo else None,
                tenant=None if self._fifo else group_id,
                sent_at=now,
                attributes=dict(attributes or {}),
            )
            self._stored[stored.id] = stored
            if deduplication_id is not None:
                self._deduplicated[deduplication_id] = (now, stored.id)
            self._hide(stored, delay) if delay else self._wait(stored)
            self._changed.notify_all()
            return stored.id

    def receive(self, limit: int, *, wait: float, lease: int) -> list[Delivery]:
        """Messages that are leased to the caller from now on; none, if none came in time.

        Args:
            limit: The most messages, at least 1.
            wait: Seconds of real time to wait for the first message.
            lease: Seconds for which they are leased.
        """
        deadline = time.monotonic() + wait
        with self._changed:
            self.requests["receive"] += 1
            while not (deliveries := self._deliver(limit, lease)):
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                next_at = self._hidden[0][0] - self._clock() if self._hidden else left
                self._changed.wait(min(left, max(_SHORTEST_SLEEP, next_at)))
            return deliveries

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        """A new end for leases; returns the entries that failed.

        Args:
            deliveries: The deliveries whose leases are extended.
            seconds: Seconds from now until each lease ends.
        """
        with self._changed:
            self.requests["extend"] += 1
            return self._hide_all([(each, seconds) for each in deliveries])

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        """The end of messages for good; no entry fails.

        Args:
            deliveries: The deliveries of the messages.
        """
        with self._changed:
            self.requests["acknowledge"] += 1
            for each in deliveries:
                # SQS takes an old receipt without complaint, and leaves the message alone.
                if stored := self._by_token.get(str(each.token)):
                    self._remove(stored)
            self._changed.notify_all()
        return []

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        """The end of leases, now; returns the entries that failed.

        Args:
            releases: The deliveries, each with the seconds until its message is delivered again, 0 for at once.
        """
        with self._changed:
            self.requests["release"] += 1
            failures = self._hide_all(releases)
            failed = {failure.index for failure in failures}
            self.released += [each for index, each in enumerate(releases) if index not in failed]
            self._changed.notify_all()
        return failures

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        """Messages stored with their reasons in `dead_letters`; no entry fails.

        Args:
            letters: The messages and their reasons.
        """
        with self._changed:
            self.requests["dead_letter"] += 1
            self.dead_letters += letters
        return []

    def lag(self) -> Lag:
        """The messages that are not acknowledged yet."""
        with self._changed:
            self._show()
            leased = sum(bool(each.token) and each.visible_at is not None for each in self._stored.values())
            return Lag(waiting=len(self._stored) - leased, leased=leased)

    def close(self) -> None:
        """A call without effect: there is no connection, and the next worker may go on with the same queue."""

    # All below run while `_changed` is held.

    def _hide_all(self, changes: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        """Hide each delivery's message for so many seconds from now, as far as SQS would."""
        self._show()
        longest = self.capabilities.longest_lease
        failures: list[Failure] = []
        for index, (delivery, seconds) in enumerate(changes):
            stored = self._by_token.get(str(delivery.token))
            if stored is None:
                failures.append(Failure(index=index, permanent=True, code="ReceiptHandleIsInvalid"))
            elif stored.visible_at is None:
                failures.append(Failure(index=index, permanent=True, code="MessageNotInflight"))
            elif longest is not None and self._clock() + seconds > stored.received_at + longest:
                failures.append(Failure(index=index, permanent=True, code="InvalidParameterValue"))
            else:
                self._hide(stored, seconds)
        return failures

    def _deliver(self, limit: int, seconds: int) -> list[Delivery]:
        self._show()
        now = self._clock()
        delivered: list[Delivery] = []
        mine: list[_Group] = []  # held up from now on, but not for the rest of this request
        while self._ready and len(delivered) < limit:
            _, group = heapq.heappop(self._ready)
            group.listed = False
            if group.hidden and group not in mine:
                continue
            _, stored = heapq.heappop(group.waiting)
            if not stored.gone and stored.receive_count >= self._max_receive_count:
                self.dead_letters.append(DeadLetter(delivery=stored.delivery(), reason="max receive count"))
                self._remove(stored)
            elif not stored.gone:
                self._by_token.pop(stored.token, None)
                stored.token = str(uuid.uuid4())
                stored.received_at = now
                if stored.first_received_at is None:
                    stored.first_received_at = now
                stored.receive_count += 1
                self._by_token[stored.token] = stored
                self._hide(stored, seconds)
                mine.append(group)
                delivered.append(stored.delivery())
            self._list(group)
        return delivered

    def _show(self) -> None:
        """Make messages visible whose time has come."""
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
        self._by_token.pop(stored.token, None)
        if stored.visible_at is not None:
            stored.visible_at = None
            stored.group.hidden -= 1
        if not stored.group.hidden:
            self._list(stored.group)
