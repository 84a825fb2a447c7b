"""Kafka: the broker of a topic and a consumer group. Offsets, partitions and commits are its own."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from fargate_workers_runtime.brokers.broker import Capabilities, DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.kafka.client_options import connection_options, consumer_options
from fargate_workers_runtime.brokers.kafka.commits import Commits
from fargate_workers_runtime.brokers.kafka.deliveries import another_attempt, dead_letter, delivery_of
from fargate_workers_runtime.brokers.kafka.iam_token import TokenSigner
from fargate_workers_runtime.brokers.kafka.reader import Bounds, Reader
from fargate_workers_runtime.brokers.kafka.records import Record, Records
from fargate_workers_runtime.brokers.kafka.settings import KafkaSettings
from fargate_workers_runtime.brokers.kafka.topic_writer import Copy, TopicWriter

Counted = Literal["Rebalances", "CommitsRefused"]
Observed = Literal["Lag", "OldestAge", "BlockedKeys"]

#: Deliveries of one `receive`: it makes no request, and what is fetched ahead is nobody else's.
LARGEST_BATCH = 100

#: The longest wait of one `receive`, in seconds: another one costs nothing, and a stop need not wait for it.
_LONGEST_WAIT = 1.0

#: The shortest sleep, in seconds: a clock that stands still must not keep the wait awake.
_SHORTEST_SLEEP = 0.01


class KafkaError(ConnectionError):
    """The cluster does not answer, or refuses this member; the text is the client's word for the reason."""


class KafkaBroker:
    """A topic, as one member of a consumer group has it, and the topics for records that failed.

    Records wait here, in this process, so that leases, delays and releases are this object's own: the group knows
    nothing but the commits. It is `AttemptCounter`: what it counts is in the commits' metadata.

    Args:
        servers: The bootstrap servers.
        signer: Signs tokens, if the settings ask for IAM. Default: none.
        bounds: How much is open at most. Default: 1,000 records and 64 MiB.
        count: Called for each rebalance and each commit that was refused. Default: not counted.
        clock: What leases go by, in seconds. Default: the monotonic clock.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        servers: str,
        *,
        signer: TokenSigner | None = None,
        bounds: Bounds | None = None,
        count: Callable[[Counted], None] = lambda _name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clock = clock
        keyed = settings.retry_topic is None
        self._capabilities = Capabilities(
            largest_batch=LARGEST_BATCH,
            longest_lease=None,
            renews_leases=True,
            orders_groups=keyed,
            counts_deliveries=False,
            one_reader=True,
            dead_letters=settings.dead_letter_topic is not None,
            settles_locally=keyed,
        )
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._ended = threading.Condition(self._lock)
        self._records = Records(ordered=settings.ordered, keyed=keyed)
        self._commits = Commits(lock=self._lock, refused=lambda: count("CommitsRefused"))
        connection = connection_options(settings, servers, signer=signer)
        self._writer = TopicWriter(connection)
        self._closed = False
        self._receiving = 0  # threads that wait for a record
        self._reader = Reader(
            lambda reader: consumer_options(
                settings, connection, on_commit=reader.note_commit, on_error=reader.note_error
            ),
            [settings.topic, *([settings.retry_topic] if settings.retry_topic else [])],
            retry_topic=settings.retry_topic,
            start=settings.start,
            records=self._records,
            commits=self._commits,
            changed=self._arrived,
            ended=self._ended,
            bounds=bounds or Bounds(),
            rebalanced=lambda: count("Rebalances"),
            serve=self._writer.serve,
            clock=clock,
        )
        self._reader.start()

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def positions(self) -> Mapping[int, int]:
        """By each partition that this member has, the offset of the next record that it will fetch."""
        with self._lock:
            partitions = self._records.partitions.values()
            return {
                each.number: each.watermark.next if each.watermark.next is not None else each.committed or 0
                for each in partitions
                if each.topic == self._settings.topic
            }

    def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
        until = time.monotonic() + min(wait, _LONGEST_WAIT)
        with self._arrived:
            while True:
                now = self._clock()
                taken = self._records.deliver(limit, now=now, lease=lease)
                left = until - time.monotonic()
                if taken or left <= 0 or self._closed:
                    break
                self._receiving += 1
                self._arrived.wait(min(left, max(_SHORTEST_SLEEP, self._records.first_shown - now)))
                self._receiving -= 1
        if not taken and not self._closed and (problem := self._reader.problem):
            raise KafkaError(problem)
        return [delivery_of(each, now=now) for each in taken]

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        until = self._clock() + seconds
        return self._each(deliveries, lambda record: self._records.hide(record, until))

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        # One that is finished was acknowledged before.
        failures = self._each(deliveries, self._records.end)
        return [each for each in failures if each.code != "ended"] if failures else failures

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        failures = self._send_on(releases) if self._settings.retry_topic else []
        sent_on = {failure.index for failure in failures}
        now = self._clock()
        for index, (delivery, seconds) in enumerate(releases):
            if index not in sent_on:
                failed = self._each([delivery], lambda record, s=seconds: self._release(record, now, s))
                failures += [Failure(index=index, permanent=True, code=each.code) for each in failed]
        return [each for each in failures if each.code != _SENT]

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        topic = self._settings.dead_letter_topic
        if topic is None:
            raise ValueError("There is no topic for dead letters; set KAFKA_DEAD_LETTER_TOPIC.")
        failures: list[Failure] = []
        places: list[int] = []
        copies: list[Copy] = []
        for index, letter in enumerate(letters):
            record = self._take(letter.delivery)
            if isinstance(record, str):
                failures.append(Failure(index=index, permanent=True, code=record))
                continue
            places.append(index)
            copies.append(dead_letter(record, letter.delivery, reason=letter.reason, detail=letter.detail))
        for index, problem in zip(places, self._writer.write(topic, copies) if copies else [], strict=True):
            if problem is not None:
                failures.append(Failure(index=index, permanent=False, code=problem))
        return failures

    def attempt_begins(self, delivery: Delivery) -> bool:
        # Without the lock, for which quick handlers would queue: the record is this caller's alone.
        record = self._records.find(delivery.token)
        if isinstance(record, str):
            return False
        begins = not record.busy
        if begins:
            record.begun += 1
            record.busy = True
            record.partition.attempted[record.offset] = record
        record.failing = False
        # Only now: a revoke sets `leaving` before it looks who is busy, so that one of the two sees the other.
        if self._may_begin(record):
            return True
        if begins:
            self._take_back(record)
        return False

    def _may_begin(self, record: Record) -> bool:
        partition = record.partition
        if partition.leaving or partition.gone:
            return False
        if record.offset >= partition.careful_until:
            return True
        with self._lock:
            partition.begins += 1
            begins = partition.begins
        # The last owner died, and perhaps of this record: that it begins is known before it does.
        return self._commits.wait_for(partition, begins)

    def _take_back(self, record: Record) -> None:
        """Count an attempt no more that did not begin: a revoke need not wait for it, and it has no end."""
        with self._lock:
            record.begun -= 1
            record.busy = False
            self._wake()

    def attempt_failed(self, delivery: Delivery) -> None:
        with self._lock:
            record = self._records.find(delivery.token)
            if isinstance(record, str):
                return
            record.failed += 1
            record.begun = max(record.begun, record.failed)
            record.busy, record.failing = False, True
            record.partition.attempted[record.offset] = record
            self._wake()

    def lag(self) -> Lag | None:
        with self._lock:
            leased, open_, oldest = self._records.hidden, self._records.open, self._records.oldest_sent_at()
            unfetched = sum(partition.unfetched for partition in self._records.partitions.values())
        if self._closed:
            return None
        age = None if oldest is None else max(0.0, time.time() - oldest)
        return Lag(waiting=open_ - leased + unfetched, leased=leased, oldest_age=age)

    def observe(self) -> dict[Observed, float]:
        """What this process measures of its partitions; the sum over all tasks is the group's."""
        with self._lock:
            blocked = self._records.blocked_groups()
        seen: dict[Observed, float] = {"BlockedKeys": blocked}
        if lag := self.lag():
            seen |= {"Lag": lag.waiting + lag.leased, "OldestAge": lag.oldest_age or 0.0}
        return seen

    def close(self) -> None:
        self._closed = True
        self._reader.close()
        self._writer.close()

    def _each(self, deliveries: Sequence[Delivery], do: Callable[[Record], object]) -> list[Failure]:
        """Do something to each record that is still leased; returns the others."""
        failures: list[Failure] = []
        with self._lock:
            self._records.show(self._clock())
            for index, delivery in enumerate(deliveries):
                record = self._records.find(delivery.token)
                if isinstance(record, str):
                    failures.append(Failure(index=index, permanent=True, code=record))
                else:
                    do(record)
            self._wake()
        return failures

    def _wake(self) -> None:
        """Wake those who wait for what has just changed. Called with the lock."""
        if self._receiving and self._records.ready:
            self._arrived.notify()
        if self._reader.leaves or (self._reader.wants_room and self._reader.has_room):
            self._ended.notify_all()

    def _release(self, record: Record, now: float, seconds: int) -> None:
        if record.busy and record.begun > record.failed:  # released before it ended: no attempt
            record.begun -= 1
        record.busy = False
        self._records.release(record, until=now + seconds if seconds > 0 else None)

    def _take(self, delivery: Delivery) -> Record | str:
        """A record whose copy is about to be written: its partition waits for that."""
        with self._lock:
            record = self._records.find(delivery.token)
            if not isinstance(record, str):
                record.busy = True
                record.partition.attempted[record.offset] = record
            return record

    def _send_on(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        """Write those that failed to the retry topic; returns what became of each of them."""
        failed: list[tuple[int, Delivery]] = []
        copies: list[Copy] = []
        for index, (delivery, seconds) in enumerate(releases):
            with self._lock:
                record = self._records.find(delivery.token)
                if isinstance(record, str) or not record.failing:
                    continue
            failed.append((index, delivery))
            copies.append(another_attempt(record, delivery, seconds=seconds))
        outcomes: list[Failure] = []
        problems = self._writer.write(self._settings.retry_topic or "", copies) if copies else []
        for (index, delivery), problem in zip(failed, problems, strict=True):
            if problem is None:
                self.acknowledge([delivery])
            outcomes.append(Failure(index=index, permanent=False, code=problem or _SENT))
        return outcomes


#: What a failure is called that is none: the record is in the retry topic.
_SENT = ""
