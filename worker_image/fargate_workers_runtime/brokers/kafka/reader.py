"""The thread that polls: it fetches, takes partitions over and leaves them, and commits. Nothing else calls `poll`."""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from fargate_workers_runtime.brokers.kafka.commit_metadata import Kept, read
from fargate_workers_runtime.brokers.kafka.commits import COMMIT_OFFSETS, Commits
from fargate_workers_runtime.brokers.kafka.deliveries import due_and_failed
from fargate_workers_runtime.brokers.kafka.records import Partition, Records
from fargate_workers_runtime.brokers.kafka.settings import Start

_log = logging.getLogger(__name__)

#: The longest wait for a record, in seconds: so late a stop is noticed, and an attempt that waits for a commit.
_POLL_SECONDS, _CAREFUL_POLL_SECONDS = 0.1, 0.005

#: How long the thread waits for room, in seconds, before it pauses the assignment: a pause drops what was fetched.
_ROOM_SECONDS = 0.5

#: Records of one fetch from the client's queue.
_BATCH = 500

#: How long a revoked partition waits for attempts that have begun, in seconds.
REVOKE_SECONDS = 3.0

#: An error of the connection counts for so long, in seconds: the client reports it again while it lasts.
_ERROR_SECONDS = 15.0

#: Seconds between two looks at the ends of the partitions, and the longest wait for the brokers' answer.
_LOOK_SECONDS = 1.0

#: Seconds between two tries after an internal error.
_PAUSE_SECONDS = 1.0

#: How long the last answers are waited for when the group is left, in seconds.
_LEAVE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How much is open at most: records and bytes that were fetched and are not finished."""

    records: int = 1_000
    bytes: int = 64 * 1024 * 1024


class Reader:
    """The consumer and its thread.

    Args:
        start: Where a partition without a commit begins.
        changed: The condition that is notified when records arrive; its lock is that of `records`.
        ended: Notified when there is room again, or an attempt in a partition that leaves has ended.
        rebalanced: Called for each assignment.
        serve: Called at each turn of the thread.
        clock: What leases go by.
    """

    def __init__(
        self,
        options: Callable[["Reader"], Mapping[str, Any]],
        topics: Sequence[str],
        *,
        retry_topic: str | None,
        start: Start,
        records: Records,
        commits: Commits,
        changed: threading.Condition,
        ended: threading.Condition,
        bounds: Bounds,
        rebalanced: Callable[[], None],
        serve: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._topics = list(topics)
        self._retry_topic = retry_topic
        self._start = OFFSET_BEGINNING if start == "earliest" else OFFSET_END
        self._records = records
        self._commits = commits
        self._changed = changed
        self._ended = ended
        self._bounds = bounds
        self._rebalanced = rebalanced
        self._serve = serve
        self._clock = clock
        self._numbers = itertools.count(1)
        self._fresh: dict[tuple[str, int], Partition] = {}  # assigned since the last look
        self._leaving: dict[tuple[str, int], Partition] = {}
        self.paused: bool = False
        self._looked_at = 0.0
        self._error: KafkaError | None = None
        self._error_at = 0.0
        self._stopping = threading.Event()
        self.wants_room: bool = False
        self.consumer: Any = Consumer(dict(options(self)), logger=_log)
        self._thread = threading.Thread(target=self._run, name="kafka-reader", daemon=True)

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    def close(self) -> None:
        """Commit what is finished and leave the group at once, so that others need not wait for a session to end."""
        self._stopping.set()
        with self._ended:
            self._ended.notify_all()
        self._thread.join(_LEAVE_SECONDS)

    @property
    def alive(self) -> bool:
        """Whether the thread polls."""
        return self._thread.is_alive()

    @property
    def problem(self) -> str | None:
        """Why no record comes, in the client's words; None if nothing was wrong lately."""
        if not self.alive:
            return "the thread that polls has ended"
        if self._error is None or time.monotonic() - self._error_at > _ERROR_SECONDS:
            return None
        return self._error.name()

    @property
    def has_room(self) -> bool:
        """Whether enough is finished to fetch more. Called with the lock."""
        open_, bounds = self._records.open, self._bounds
        return open_ <= bounds.records * 3 // 4 and self._records.bytes <= bounds.bytes * 3 // 4

    @property
    def leaves(self) -> bool:
        """Whether a partition is about to go."""
        return bool(self._leaving)

    def note_error(self, error: KafkaError) -> None:
        """Take an error that is not a record's."""
        _log.warning("kafka_error", extra={"fields": {"code": error.name(), "fatal": error.fatal()}})
        self._error, self._error_at = error, time.monotonic()

    def note_commit(self, error: KafkaError | None, offsets: Sequence[TopicPartition]) -> None:
        """Take the answer to a commit."""
        self._commits.answered(error, offsets, self._records.partitions)

    # The thread

    def _run(self) -> None:
        try:
            self.consumer.subscribe(self._topics, on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)
            while not self._stopping.is_set():
                try:
                    self.turn()
                except Exception as error:
                    _log.exception("kafka_reader_failed")
                    if isinstance(error, KafkaException):
                        self.note_error(error.args[0])
                    self._stopping.wait(_PAUSE_SECONDS)
        finally:
            self._leave()

    def turn(self) -> None:
        """Fetch once, and commit what is due."""
        room = self._wait_for_room()
        self._pause(room == 0)
        messages = self._fetch(room)
        if messages:
            self._keep(messages)
        self._mark()
        self._commits.send_when_due(self.consumer, self._partitions())
        self._serve()
        self._look_at_the_ends()

    def _wait_for_room(self) -> int:
        """How many records may be fetched; quick handlers make room soon, without a pause."""
        with self._ended:
            if self._is_full:
                self.wants_room = True
                wait = 0.0 if self.paused else _ROOM_SECONDS
                self._ended.wait_for(lambda: self.has_room or self._stopping.is_set(), wait)
                self.wants_room = False
            if self._is_full or (self.paused and not self.has_room):
                return 0
            return max(1, self._bounds.records - self._records.open)

    @property
    def _is_full(self) -> bool:
        return self._records.open >= self._bounds.records or self._records.bytes >= self._bounds.bytes

    def _pause(self, full: bool) -> None:
        """Let the client fetch nothing while there is no room; it is polled all the same."""
        if full == self.paused:
            return
        assignment = self.consumer.assignment()
        if assignment:
            (self.consumer.pause if full else self.consumer.resume)(assignment)
        self.paused = full

    def _fetch(self, room: int) -> list[Any]:
        """What the client has. Even with no room for it, a record that comes is kept: it would not come again."""
        careful = any(each.is_careful for each in self._partitions())
        first = self.consumer.poll(_CAREFUL_POLL_SECONDS if careful else _POLL_SECONDS)
        if first is None or room <= 1:
            return [] if first is None else [first]
        self._fresh.clear()
        messages = [first, *self.consumer.consume(min(room, _BATCH) - 1, 0)]
        if not self._fresh:
            return messages
        # Partitions were assigned inside of this very call, which may bring records from before they were revoked:
        # taken for the first ones, those would have all before them committed.
        again, self._fresh = self._fresh, {}
        offsets = [_from_commit(each) for each in again.values()]
        self.consumer.incremental_unassign(offsets)
        self.consumer.incremental_assign(offsets)
        self.paused = False
        return [each for each in messages if (each.topic(), each.partition()) not in again]

    def _keep(self, messages: Sequence[Any]) -> None:
        good = [each for each in messages if each.error() is None]
        if len(good) < len(messages):
            for each in messages:
                if each.error() is not None:
                    self.note_error(each.error())
        self._mark(good)
        partitions, records = self._records.partitions, self._records
        with self._changed:
            for message in good:
                partition = partitions.get((message.topic(), message.partition()))
                if partition is None:  # fetched before it was revoked
                    continue
                offset = message.offset()
                following = partition.watermark.next
                if following is not None and offset < following:
                    continue  # it was fetched before
                if following is None and partition.committed is not None and offset < partition.committed:
                    partition.forget_kept()
                if offset < partition.kept.through and partition.kept.has_finished(offset):
                    partition.watermark.skip(offset)
                elif partition.topic == self._retry_topic:
                    self._add_again(partition, message, offset)
                else:
                    records.add(partition, message, offset)
            self._changed.notify()

    def _add_again(self, partition: Partition, message: Any, offset: int) -> None:
        """A record that failed before waits until it is due."""
        due, failed = due_and_failed(message.headers())
        left = 0.0 if due is None else due - time.time()
        self._records.add(partition, message, offset, hidden_until=self._clock() + left if left > 0 else None)
        record = partition.records[offset]
        record.failed += failed
        record.begun += failed
        partition.attempted[offset] = record

    def _mark(self, fetched: Sequence[Any] = ()) -> None:
        """Commit that this member has its new partitions, before anything in them begins.

        If it dies, the next owner of a partition sees that it did not leave.
        """
        unmarked = [each for each in self._partitions() if not each.marked]
        if not unmarked:
            return
        first = {(each.topic(), each.partition()): each.offset() for each in reversed(fetched)}
        known: list[Partition] = []
        for each in unmarked:
            if each.committed is None:
                each.committed = first.get((each.topic, each.number))
            if each.committed is not None:
                each.marked = True
                known.append(each)
        if known:
            self._commits.send(self.consumer, known, owned=True)

    def _look_at_the_ends(self) -> None:
        """Note how far the logs reach. Asked on another thread, while this one polls, the client does not answer."""
        if (now := time.monotonic()) - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        partitions = self._partitions()
        for each in partitions:
            found = self.consumer.get_watermark_offsets(TopicPartition(each.topic, each.number), cached=True)
            if found and min(found) >= 0:
                begin, each.end = found
                if each.begins_at is None:
                    each.begins_at = begin if self._start == OFFSET_BEGINNING else each.end
        if self.paused:
            self._ask_for_the_ends(partitions)

    def _ask_for_the_ends(self, partitions: Sequence[Partition]) -> None:
        """Ask the brokers how far the logs reach: a client that is paused does not see them grow.

        https://github.com/confluentinc/librdkafka/issues/4996
        """
        with suppress(KafkaException):  # the client reports what lasts
            unknown = [each for each in partitions if each.begins_at is None]
            for each, offset in self._ask(unknown, self._start):
                each.begins_at = offset
            for each, offset in self._ask(partitions, OFFSET_END):
                each.end = max(each.end, offset)

    def _ask(self, partitions: Sequence[Partition], place: int) -> Iterator[tuple[Partition, int]]:
        """The offset of a place in each log, in one request to each leader."""
        if not partitions:
            return
        named = {(each.topic, each.number): each for each in partitions}
        places = [TopicPartition(each.topic, each.number, place) for each in partitions]
        for answer in self.consumer.offsets_for_times(places, timeout=_LOOK_SECONDS):
            if answer.error is None and answer.offset >= 0:
                yield named[answer.topic, answer.partition], answer.offset

    def _partitions(self) -> list[Partition]:
        with self._changed:
            return list(self._records.partitions.values())

    # Rebalances, called inside of `poll`

    def assigned(self, consumer: Any, offsets: Sequence[TopicPartition]) -> None:
        """Begin with partitions where the group's commits are."""
        if self._stopping.is_set():  # a client that closes is not answered, and waits for its time-out
            return
        made: list[Partition] = []
        committed = self._committed(consumer, offsets)
        for each in offsets:
            offset, kept = committed.get((each.topic, each.partition), (None, Kept()))
            partition = Partition(
                each.topic,
                each.partition,
                assignment=next(self._numbers),
                committed=offset,
                kept=kept,
                careful_for=self._bounds.records + COMMIT_OFFSETS,
            )
            made.append(partition)
        with self._changed:
            for partition in made:
                self._records.add_partition(partition)
                self._fresh[partition.topic, partition.number] = partition
        self.paused = False
        self._error = None
        consumer.incremental_assign([_from_commit(each) for each in made])
        if offsets:
            self._rebalanced()
            names = [f"{each.topic}/{each.number}" for each in made]
            _log.info("partitions_assigned", extra={"fields": {"partitions": names}})

    def _committed(
        self, consumer: Any, offsets: Sequence[TopicPartition]
    ) -> dict[tuple[str, int], tuple[int | None, Kept]]:
        """The group's commits, with what they keep; nothing if they cannot be read: the client reads them again."""
        if not offsets:
            return {}
        try:
            answers = consumer.committed(list(offsets), timeout=_LEAVE_SECONDS)
        except KafkaException as error:
            self.note_error(error.args[0])
            return {}
        return {
            (each.topic, each.partition): (each.offset, read(each.offset, each.metadata))
            for each in answers
            if each.error is None and each.offset >= 0
        }

    def revoked(self, consumer: Any, offsets: Sequence[TopicPartition]) -> None:
        """Let what has begun end, for a while; commit; forget."""
        with self._ended:
            for each in offsets:
                if partition := self._records.partitions.get((each.topic, each.partition)):
                    partition.leaving = True
                    self._commits.wake()
                    self._leaving[each.topic, each.partition] = partition
            if not self._stopping.is_set():
                self._ended.wait_for(lambda: not self._records.busy(self._leaving), REVOKE_SECONDS)
            leaving, self._leaving = list(self._leaving.values()), {}
        if leaving:
            # A process that ends counts what it did not release: its handlers hang. One that lives does not.
            self._commits.send(consumer, leaving, owned=False, begun_count=self._stopping.is_set())
            _log.info(
                "partitions_revoked", extra={"fields": {"partitions": [f"{p.topic}/{p.number}" for p in leaving]}}
            )
        self._forget(offsets)
        consumer.incremental_unassign(list(offsets))

    def lost(self, consumer: Any, offsets: Sequence[TopicPartition]) -> None:
        """Forget; others have them by now."""
        _log.warning("partitions_lost", extra={"fields": {"partitions": [f"{p.topic}/{p.partition}" for p in offsets]}})
        self._forget(offsets)
        consumer.incremental_unassign(list(offsets))

    def _forget(self, offsets: Sequence[TopicPartition]) -> None:
        with self._changed:
            for each in offsets:
                self._records.drop(each.topic, each.partition)
                self._fresh.pop((each.topic, each.partition), None)
            self._commits.wake()

    def _leave(self) -> None:
        try:
            self.consumer.close()  # it revokes what is assigned
        except Exception:
            _log.warning("kafka_leave_failed", exc_info=True)
        with self._changed:
            self._changed.notify_all()


def _from_commit(partition: Partition) -> TopicPartition:
    """Where to begin: at the commit, or where the client's `auto.offset.reset` has it."""
    if partition.committed is None:
        return TopicPartition(partition.topic, partition.number)
    return TopicPartition(partition.topic, partition.number, partition.committed)
