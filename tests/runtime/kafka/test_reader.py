"""The reader with a client that does what clients do amid rebalances."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import pytest
from confluent_kafka import TopicPartition

from fargate_workers_runtime.brokers.kafka.commits import Commits
from fargate_workers_runtime.brokers.kafka.reader import Bounds, Reader
from fargate_workers_runtime.brokers.kafka.records import Records
from fargate_workers_runtime.brokers.kafka.settings import Start


class Message:
    def __init__(self, offset: int, *, partition: int = 0, value: bytes = b"{}") -> None:
        self._offset, self._partition, self._value = offset, partition, value

    def topic(self) -> str:
        return "orders"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def key(self) -> bytes:
        return b"key"

    def value(self) -> bytes:
        return self._value

    def headers(self) -> None:
        return None

    def error(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return (1, 0)

    def __len__(self) -> int:
        return len(self._value)


class Client:
    """A consumer in memory: what `consume` brings is given, with the rebalances inside of it."""

    def __init__(self, _options: object, *, logger: object) -> None:
        self.calls: list[tuple[str, list[tuple[int, int]]]] = []
        self.commits: list[TopicPartition] = []
        self.committed_at: dict[int, int] = {}
        self.log: tuple[int, int] = (0, 0)
        self.asked = 0
        self.on_assign: Callable[..., None] | None = None
        self.polled: deque[Message | Callable[[], object]] = deque()
        self.batches: deque[Sequence[Message | Callable[[], object]]] = deque()

    def subscribe(self, _topics: Sequence[str], *, on_assign: Callable[..., None], **_others: object) -> None:
        self.on_assign = on_assign

    def close(self) -> None:
        """Close, with partitions that arrive at that very moment."""
        if self.on_assign is not None:
            self.on_assign(self, PLACES)

    def poll(self, _timeout: float) -> Message | None:
        found = self.polled.popleft() if self.polled else None
        if callable(found):
            found()
            return None
        return found

    def consume(self, _number: int, _timeout: float) -> list[Message]:
        messages: list[Message] = []
        for each in self.batches.popleft() if self.batches else ():
            if isinstance(each, Message):
                messages.append(each)
            else:
                each()
        return messages

    def committed(self, places: Sequence[TopicPartition], *, timeout: float) -> list[TopicPartition]:
        self.asked += 1
        return [
            TopicPartition(each.topic, each.partition, self.committed_at.get(each.partition, -1001)) for each in places
        ]

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        self.commits += offsets
        return offsets

    def assignment(self) -> list[TopicPartition]:
        return []

    def get_watermark_offsets(self, _place: TopicPartition, *, cached: bool) -> tuple[int, int]:
        return self.log

    def incremental_assign(self, places: Sequence[TopicPartition]) -> None:
        self.calls.append(("assign", [(each.partition, each.offset) for each in places]))

    def incremental_unassign(self, places: Sequence[TopicPartition]) -> None:
        self.calls.append(("unassign", [(each.partition, each.offset) for each in places]))


PLACES = [TopicPartition("orders", 0)]


class Rig:
    def __init__(self, *, start: Start = "earliest") -> None:
        lock = threading.Lock()
        self.records = Records(ordered=True, keyed=True)
        self.reader = Reader(
            lambda _reader: {},
            ["orders"],
            retry_topic=None,
            start=start,
            records=self.records,
            commits=Commits(lock=lock, refused=lambda: None),
            changed=threading.Condition(lock),
            ended=threading.Condition(lock),
            bounds=Bounds(),
            rebalanced=lambda: None,
            serve=lambda: None,
            clock=lambda: 0.0,
        )
        self.client: Client = self.reader.consumer

    def assign(self) -> None:
        self.reader.assigned(self.client, PLACES)

    def revoke(self) -> None:
        self.reader.revoked(self.client, PLACES)

    def turn(self) -> None:
        self.reader.turn()

    @property
    def offsets(self) -> list[int]:
        partition = self.records.partitions.get(("orders", 0))
        return list(partition.records) if partition else []


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr("fargate_workers_runtime.brokers.kafka.reader.Consumer", Client)
    return Rig()


def test_a_record_that_comes_with_a_poll_is_kept(rig: Rig) -> None:
    """Polled to stay a member, and dropped because nobody expected one, it would be lost, and committed."""
    rig.client.polled += [rig.assign, Message(0)]
    rig.turn()
    rig.turn()
    assert rig.offsets == [0]


def test_records_from_before_a_revoke_do_not_begin_the_partition_anew(rig: Rig) -> None:
    rig.client.committed_at = {0: 5}
    rig.client.polled += [rig.assign, Message(5)]
    rig.turn()
    rig.client.batches.append([Message(6), Message(7), rig.revoke, rig.assign, Message(8)])
    rig.turn()
    assert rig.offsets == []
    assert rig.client.calls[-2:] == [("unassign", [(0, 5)]), ("assign", [(0, 5)])]
    rig.client.polled.append(Message(5))
    rig.client.batches.append([Message(6), Message(7), Message(8)])
    rig.turn()
    assert rig.offsets == [5, 6, 7, 8]


def test_records_of_a_partition_that_is_gone_are_not_kept(rig: Rig) -> None:
    rig.client.polled += [rig.assign, Message(0)]
    rig.turn()
    rig.client.batches.append([Message(1), rig.revoke])
    rig.turn()
    assert rig.offsets == []


def test_a_record_that_was_fetched_before_is_not_kept_twice(rig: Rig) -> None:
    rig.client.polled += [rig.assign, Message(3)]
    rig.client.batches.append([Message(4), Message(3), Message(9)])
    rig.turn()
    rig.turn()
    assert rig.offsets == [3, 4, 9]


def test_a_partition_begins_where_its_log_does_if_the_commit_is_behind(rig: Rig) -> None:
    """Retention has deleted what the commit names, or the topic is another one of the same name."""
    for committed, first in ((5, 700), (700, 5)):
        rig.client.committed_at = {0: committed}
        rig.client.polled += [rig.assign, Message(first)]
        rig.turn()
        rig.turn()
        assert rig.offsets == [first]
        rig.revoke()


def test_that_a_partition_has_an_owner_is_committed_before_anything_in_it_begins(rig: Rig) -> None:
    rig.client.polled += [rig.assign, Message(40)]
    rig.turn()
    assert rig.client.commits == []  # nothing is known of it
    rig.turn()
    (mark,) = rig.client.commits
    assert (mark.offset, mark.metadata) == (40, '{"o":1,"a":[],"n":0,"u":[]}')


def test_a_partition_is_assigned_where_its_commit_is(rig: Rig) -> None:
    """By the same call for both protocols: the wrong one raises inside of the callback, and nothing is assigned."""
    rig.client.committed_at = {0: 12}
    rig.assign()
    assert rig.client.calls == [("assign", [(0, 12)])]
    rig.revoke()
    assert rig.client.calls[-1] == ("unassign", [(0, -1001)])


@pytest.mark.parametrize(("finished", "commits"), [(999, 0), (1000, 1)])
def test_a_thousand_finished_offsets_are_committed_before_the_second_is_over(
    rig: Rig, finished: int, commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.brokers.kafka.commits.time.monotonic", lambda: 0.0)
    rig.client.committed_at = {0: 0}
    rig.client.polled += [rig.assign, Message(0)]
    rig.turn()
    rig.client.batches += [[Message(offset) for offset in range(1, 500)]]
    rig.turn()
    rig.client.polled.append(Message(500))
    rig.client.batches += [[Message(offset) for offset in range(501, 999)]]
    rig.turn()
    rig.client.polled.append(Message(999))
    rig.turn()
    marked = len(rig.client.commits)
    partition = rig.records.partitions["orders", 0]
    for offset in range(finished):
        rig.records.end(partition.records[offset])
    rig.turn()
    assert [each.offset for each in rig.client.commits[marked:]] == [1000] * commits


@pytest.mark.parametrize(("start", "unfetched"), [("earliest", 60), ("latest", 0)])
def test_a_group_that_starts_at_the_end_has_nothing_to_catch_up_on(rig: Rig, start: Start, unfetched: int) -> None:
    rig = Rig(start=start)
    rig.client.log = (40, 100)
    rig.client.polled.append(rig.assign)
    rig.turn()
    assert rig.records.partitions["orders", 0].unfetched == unfetched


def test_a_member_that_leaves_asks_for_no_commits_of_partitions_that_arrive(rig: Rig) -> None:
    """The client would not answer before its time-out, and the stop would take as long."""
    rig.reader.start()
    rig.reader.close()
    assert not rig.reader.alive
    assert (rig.client.asked, rig.records.partitions) == (0, {})
