"""The records that this process has: leased, waiting for their turn in their key's order, or for a later attempt."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fargate_workers_runtime.brokers.kafka.commit_metadata import Attempted, Kept, written
from fargate_workers_runtime.brokers.kafka.watermark import Watermark


def _no_records() -> "deque[Record]":
    return deque()


@dataclass(eq=False, kw_only=True, slots=True)
class Group:
    """Records that are delivered in order: those of one key, or a single record.

    Attributes:
        name: What deliveries are called by it; None: it is a single record, which has no order to keep.
        hidden: How many are leased or wait for a later attempt; the group is held up while any is.
        listed: It is in the list of groups that are ready.
        dropped: Its partition is another member's.
    """

    key: bytes | None = None
    name: str | None = None
    records: "deque[Record]" = field(default_factory=_no_records)
    hidden: int = 0
    listed: bool = False
    dropped: bool = False


@dataclass(eq=False, kw_only=True, slots=True)
class Record:
    """A record that is not finished.

    Attributes:
        message: What the client delivered.
        hidden_until: When its lease or its delay ends; None: it may be delivered.
        token: Of its present lease; None: it has none.
        busy: An attempt at it is under way, or its dead letter is.
        failing: Its last attempt failed.
    """

    message: Any
    offset: int
    partition: "Partition"
    group: Group
    size: int
    begun: int = 0
    failed: int = 0
    deliveries: int = 0
    first_at: float | None = None
    hidden_until: float | None = None
    token: "Token | None" = None
    busy: bool = False
    failing: bool = False
    ended: bool = False


@dataclass(eq=False, slots=True)
class Token:
    """One delivery of one record. It is worth nothing once the partition is revoked, or the record delivered anew."""

    record: Record
    delivery: int

    def __str__(self) -> str:
        return f"{self.record.partition.assignment}/{self.record.offset}/{self.delivery}"


class Partition:
    """A partition that this member has, from its assignment to its end.

    Args:
        assignment: A number that no other assignment in this process has.
        committed: The offset of the group's last commit; None: there is none.
        kept: What the last owner committed with it.
        careful_for: Offsets from the commit on, among which the last owner may have died.
    """

    def __init__(
        self, topic: str, number: int, *, assignment: int, committed: int | None, kept: Kept, careful_for: int
    ) -> None:
        self.topic = topic
        self.number = number
        self.name: str = f"{topic}/{number}"
        self.assignment = assignment
        self.committed = committed
        self.watermark: Watermark = Watermark()
        self.records: dict[int, Record] = {}
        self.groups: dict[bytes | None, Group] = {}
        self.attempted: dict[int, Record] = {}
        self.kept: Kept = kept
        self.counted: dict[int, Attempted] = dict(kept.attempts)  # of records that are not fetched yet
        self.careful_until: int = committed + careful_for if kept.owned and committed is not None else 0
        self.leaving = self.gone = False
        self.marked = False
        self.sent: tuple[int, str] | None = None
        self.begins = 0
        self.begins_committed = 0
        self.begins_at: int | None = committed  # where the client begins to read; None: it is not known yet
        self.end: int = 0  # of the log, as far as it is known

    @property
    def unfetched(self) -> int:
        """Offsets from the next one to the end of the log."""
        following = self.begins_at if self.watermark.next is None else self.watermark.next
        return 0 if following is None else max(0, self.end - following)

    @property
    def low(self) -> int | None:
        """What may be committed; None before anything is known."""
        low = self.watermark.low
        return self.committed if low is None else low

    @property
    def is_careful(self) -> bool:
        """Whether a record is left of which the last owner may have died."""
        return self.careful_until > 0 and (self.low or 0) < self.careful_until

    def commit(self, *, owned: bool, begun_count: bool = True) -> tuple[int, str] | None:
        """The offset and the metadata of a commit now; None if no offset is known.

        Args:
            owned: The partition is kept.
            begun_count: Attempts that are under way count. False: they go on elsewhere, and this process is alive.
        """
        low = self.low
        if low is None:
            return None
        counts = {offset: attempted for offset, attempted in self.counted.items() if offset >= low}
        for offset, record in list(self.attempted.items()):
            under_way = record.busy and not begun_count
            counts[offset] = Attempted(record.begun - under_way, record.failed)
        attempts = ((offset, counts[offset]) for offset in sorted(counts) if counts[offset].begun)
        if (through := self.watermark.next) is not None and through >= self.kept.through:
            unfinished: Iterable[int] = self.watermark.unfinished
        else:  # what the last owner finished is not all fetched yet
            through = self.kept.through
            unfinished = sorted({*self.watermark.unfinished, *self._unfetched_unfinished()})
        return low, written(low, owned=owned, attempts=attempts, through=through, unfinished=unfinished)

    def _unfetched_unfinished(self) -> Iterable[int]:
        following = self.watermark.next or 0
        return (offset for offset in self.kept.unfinished if offset >= following)

    def forget_kept(self) -> None:
        """What was committed is of another log: its topic was made anew."""
        self.kept, self.counted = Kept(), {}


class Records:
    """All records that are not finished. Every call is made with the broker's lock.

    Args:
        ordered: Records without a key keep the order of their partition.
        keyed: Records with a key keep its order.
    """

    def __init__(self, *, ordered: bool, keyed: bool) -> None:
        self._ordered = ordered
        self._keyed = keyed
        self._ready: deque[Group] = deque()
        self._hidden: dict[Record, None] = {}
        self._first_shown = float("inf")  # no hidden record is shown before
        self.partitions: dict[tuple[str, int], Partition] = {}
        self.open: int = 0
        self.bytes: int = 0

    @property
    def hidden(self) -> int:
        """How many are leased, or wait for a later attempt."""
        return len(self._hidden)

    @property
    def ready(self) -> bool:
        """Whether one may be delivered, as far as is known."""
        return bool(self._ready)

    @property
    def first_shown(self) -> float:
        """When the next hidden record may be delivered, at the earliest."""
        return self._first_shown

    def add_partition(self, partition: Partition) -> None:
        """Begin with a partition that was assigned."""
        self.drop(partition.topic, partition.number)
        self.partitions[partition.topic, partition.number] = partition

    def add(self, partition: Partition, message: Any, offset: int, *, hidden_until: float | None = None) -> None:
        """Take a record that was fetched."""
        key: bytes | None = message.key()
        apart = not self._keyed if key is not None else not (self._ordered and self._keyed)
        group = Group() if apart else partition.groups.get(key)
        if group is None:
            name = partition.name if key is None else key.decode("utf-8", "backslashreplace")
            group = partition.groups[key] = Group(key=key, name=name)
        record = Record(message=message, offset=offset, partition=partition, group=group, size=len(message))
        if attempted := partition.counted.pop(offset, None) if partition.counted else None:
            record.begun, record.failed = attempted
            partition.attempted[offset] = record
        partition.watermark.take(offset)
        partition.records[offset] = record
        group.records.append(record)
        self.open += 1
        self.bytes += record.size
        if hidden_until is not None:
            self.hide(record, hidden_until)
        else:
            self._list(group)

    def deliver(self, limit: int, *, now: float, lease: int) -> list[Record]:
        """Lease up to `limit` records; several of one group follow each other."""
        self.show(now)
        taken: list[Record] = []
        until = now + lease
        while self._ready and len(taken) < limit:
            group = self._ready.popleft()
            group.listed = False
            if group.dropped or group.hidden or group.records[0].partition.leaving:
                continue
            for record in group.records:
                if record.ended:
                    continue
                record.deliveries += 1
                if record.first_at is None:
                    record.first_at = now
                record.token = Token(record, record.deliveries)
                self.hide(record, until)
                taken.append(record)
                if len(taken) == limit:
                    break
        return taken

    def find(self, token: object) -> "Record | str":
        """The record that is leased by `token`, or why none is: `revoked`, `ended`, or `stale`."""
        if not isinstance(token, Token):
            return "stale"
        record = token.record
        if record.partition.gone:
            return "revoked"
        if record.ended:
            return "ended"
        return record if record.token is token else "stale"

    def hide(self, record: Record, until: float) -> None:
        """Let nobody have it, nor what is behind it in its group, before `until`."""
        if record.hidden_until is None:
            record.group.hidden += 1
            self._hidden[record] = None
        record.hidden_until = until
        if until < self._first_shown:
            self._first_shown = until

    def show(self, now: float) -> None:
        """Let those be delivered again whose lease or delay has ended."""
        if now < self._first_shown:
            return
        ended = [record for record in self._hidden if record.hidden_until is not None and record.hidden_until <= now]
        for record in ended:
            self._show(record)
        left = (record.hidden_until for record in self._hidden)
        self._first_shown = min((until for until in left if until is not None), default=float("inf"))

    def release(self, record: Record, *, until: float | None) -> None:
        """End its lease: it may be delivered again, at once or later."""
        record.token = None
        if until is None:
            self._show(record)
        else:
            self.hide(record, until)

    def end(self, record: Record) -> None:
        """The record is finished for good."""
        record.ended, record.busy, record.token = True, False, None
        partition, group = record.partition, record.group
        self._hidden.pop(record, None)
        if record.hidden_until is not None:
            record.hidden_until = None
            group.hidden -= 1
        while group.records and group.records[0].ended:
            group.records.popleft()
        if group.records:
            self._list(group)
        elif group.name is not None and partition.groups.get(group.key) is group:
            del partition.groups[group.key]
        del partition.records[record.offset]
        if partition.attempted:
            partition.attempted.pop(record.offset, None)
        partition.watermark.finish(record.offset)
        self.open -= 1
        self.bytes -= record.size

    def drop(self, topic: str, number: int) -> None:
        """Forget a partition and its records, which are another member's."""
        partition = self.partitions.pop((topic, number), None)
        if partition is None:
            return
        partition.gone = True
        for record in partition.records.values():
            record.group.dropped = record.ended = True
            self._hidden.pop(record, None)
            self.open -= 1
            self.bytes -= record.size

    def busy(self, partitions: Mapping[Any, Partition]) -> bool:
        """Whether an attempt is under way in one of the partitions."""
        return any(record.busy for partition in partitions.values() for record in list(partition.attempted.values()))

    def blocked_groups(self) -> int:
        """Groups whose first record failed and waits for its next attempt."""
        return len({id(record.group) for record in self._attempted() if record.failing})

    def oldest_sent_at(self) -> float | None:
        """When the oldest of the lowest records of all partitions was sent, in seconds since the epoch."""
        lowest = [p.records[p.watermark.low] for p in self.partitions.values() if p.watermark.low in p.records]
        times = [record.message.timestamp() for record in lowest]
        return min((milliseconds / 1000 for kind, milliseconds in times if kind), default=None)

    def _attempted(self) -> Iterator[Record]:
        for partition in self.partitions.values():
            yield from list(partition.attempted.values())

    def _show(self, record: Record) -> None:
        record.token, record.busy = None, False
        self._hidden.pop(record, None)
        if record.hidden_until is not None:
            record.hidden_until = None
            record.group.hidden -= 1
        self._list(record.group)

    def _list(self, group: Group) -> None:
        if not group.hidden and not group.listed and not group.dropped and group.records:
            group.listed = True
            self._ready.append(group)
