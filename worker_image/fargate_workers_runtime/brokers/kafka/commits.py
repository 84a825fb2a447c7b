"""Commits: of the lowest offset that is not finished, now and then, and whenever a partition goes."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from fargate_workers_runtime.brokers.kafka.records import Partition

_log = logging.getLogger(__name__)

#: Between two commits, whichever comes first: seconds, and offsets.
COMMIT_SECONDS = 1.0
COMMIT_OFFSETS = 1_000

#: How long an attempt waits until it is committed that it begins, in seconds; then it begins all the same.
_KEEP_SECONDS = 10.0


class Commits:
    """The commits of one consumer, which are sent on the thread that polls: other threads would wait for it.

    Args:
        lock: The lock of the records, which is held to read them, and never during a request.
        refused: Called for each commit that was refused.
    """

    def __init__(self, *, lock: threading.Lock, refused: Callable[[], None]) -> None:
        self._lock = lock
        self._kept = threading.Condition(lock)  # begins were committed, or will not be
        self._refused = refused
        self._sent_at = time.monotonic()
        self._waiting = 0  # threads that wait for a commit

    @property
    def awaited(self) -> bool:
        """Whether an attempt waits for a commit."""
        return self._waiting > 0

    def send_when_due(self, consumer: Any, partitions: Sequence[Partition]) -> None:
        """Send a commit if there is something new and it is time; the answer comes to `answered`.

        One that is waited for is due at once.
        """
        if self._waiting:
            self.send(consumer, partitions, owned=True)
            return
        now = time.monotonic()
        if now - self._sent_at < COMMIT_SECONDS and self._ahead(partitions) < COMMIT_OFFSETS:
            return
        self._sent_at = now
        try:
            if offsets := self._offsets(partitions, owned=True):
                consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            self._failed(error, partitions)

    def send(self, consumer: Any, partitions: Sequence[Partition], *, owned: bool, begun_count: bool = True) -> None:
        """Send a commit and wait for its answer.

        Args:
            owned: The partitions are kept.
            begun_count: Attempts that are under way count.
        """
        with self._lock:
            begins = [(partition, partition.begins) for partition in partitions]
        offsets = self._offsets(partitions, owned=owned, begun_count=begun_count)
        try:
            if offsets:
                answer = consumer.commit(offsets=offsets, asynchronous=False)
                if problem := next((each.error for each in answer if each.error is not None), None):
                    raise KafkaException(problem)
        except KafkaException as error:
            self._failed(error, partitions)
        with self._lock:  # after a failure, too: an attempt that waits must begin
            for partition, number in begins:
                partition.begins_committed = max(partition.begins_committed, number)
            self._kept.notify_all()

    def wait_for(self, partition: Partition, begins: int) -> bool:
        """Wait until the first `begins` attempts at records of a partition are committed; False if it leaves."""
        with self._kept:
            self._waiting += 1
            self._kept.wait_for(
                lambda: partition.leaving or partition.gone or partition.begins_committed >= begins, _KEEP_SECONDS
            )
            self._waiting -= 1
            return not (partition.leaving or partition.gone)

    def wake(self) -> None:
        """Let those look again that wait for a partition. Called with the lock."""
        self._kept.notify_all()

    def answered(
        self,
        error: KafkaError | None,
        offsets: Iterable[TopicPartition],
        partitions: Mapping[tuple[str, int], Partition],
    ) -> None:
        """Take the answer to a commit that nobody waits for; what was refused is committed again."""
        for each in offsets:
            problem = error or each.error
            if problem is not None and problem.code() != KafkaError._NO_OFFSET:
                self._refused()
                fields = {"code": problem.name(), "partition": each.partition, "offset": each.offset}
                _log.warning("commit_refused", extra={"fields": fields})
                if partition := partitions.get((each.topic, each.partition)):
                    partition.sent = None

    def _offsets(
        self, partitions: Iterable[Partition], *, owned: bool, begun_count: bool = True
    ) -> list[TopicPartition]:
        """What has changed since the last commit."""
        offsets: list[TopicPartition] = []
        with self._lock:
            for partition in partitions:
                commit = partition.commit(owned=owned, begun_count=begun_count)
                if commit is not None and commit != partition.sent:
                    partition.sent = commit
                    offsets.append(TopicPartition(partition.topic, partition.number, *commit))
        return offsets

    def _failed(self, error: KafkaException, partitions: Iterable[Partition]) -> None:
        self._refused()
        _log.warning("commit_refused", extra={"fields": {"code": error.args[0].name()}})
        for partition in partitions:
            partition.sent = None

    def _ahead(self, partitions: Iterable[Partition]) -> int:
        """Offsets that are finished and not committed."""
        with self._lock:
            return sum((partition.low or 0) - partition.sent[0] for partition in partitions if partition.sent)
