"""A dead-letter topic. Kafka deletes no single record: what is done is noted as commits of a group of its own."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.sources.kafka.cluster import KafkaCluster
from fargate_workers_toolkit.operations.sources.kafka.handled import MAX_METADATA_BYTES, Handled
from fargate_workers_toolkit.operations.sources.kafka.reader import LogReader
from fargate_workers_toolkit.operations.sources.source import DeadLetter, Depth

_PAGE = 100
#: The prefix of the headers that a worker gives a record when it gives it up.
_OF_DEATH = "dlq."
#: What a commit carries for a moment, to see whether the broker keeps it.
_PROBE = "kept?"


class KafkaDeadLetters:
    """A dead-letter topic, without what was replayed or purged.

    Args:
        cluster: The cluster.
        name: The topic.
        origin: The topic that its letters return to.
        worker_group: The group of the workers. It is neither joined nor committed for.
    """

    ordered = True
    unseen = "somebody else has taken them meanwhile"

    def __init__(self, cluster: KafkaCluster, *, name: str, origin: str, worker_group: str) -> None:
        self._cluster = cluster
        self.name: str = name
        self.origin: str = origin
        self._group = f"{worker_group}.dead-letters"
        self._handled: dict[int, Handled] = {}
        self._reading = ExitStack()
        self._reader: LogReader | None = None
        self._keeps_metadata: bool | None = None
        self._origin_partitions: Sequence[int] | None = None

    def depth(self) -> Depth:
        """The letters that are not done."""
        handled = self._look()
        with self._cluster.reading(self._group, self.name, _starts(handled)) as reader:
            ends, _ = reader.ends()
        left = sum(max(0, ends[number] - each.before) - each.above for number, each in handled.items())
        return Depth(waiting=left, in_flight=0)

    def lease(self, *, seconds: int, wait: int) -> list[DeadLetter]:
        """The next letters, those of a partition in their order. Nobody is kept from seeing them.

        Args:
            seconds: Of no meaning here.
            wait: Of no meaning here.
        """
        del seconds, wait
        if self._reader is None:
            self._handled = self._look()
            self._reader = self._reading.enter_context(
                self._cluster.reading(self._group, self.name, _starts(self._handled))
            )
        while records := self._reader.read(_PAGE):
            letters = [
                _letter(record) for record in records if not self._handled[record.partition()].has(record.offset())
            ]
            if letters:
                return letters
        return []

    def release(self, tokens: Sequence[str]) -> None:
        """End the reading: a look leaves nothing behind.

        Args:
            tokens: Of no meaning here.
        """
        del tokens
        self._reader = None
        self._reading.close()

    def send_back(self, letter: DeadLetter, *, marks: Mapping[str, str]) -> str | None:
        """Send a record's copy to the topic it came from: to its partition there, with its key and headers.

        Args:
            letter: The letter.
            marks: Headers that are added.

        Returns:
            Where the copy is; None, if somebody else has handled the letter.

        Raises:
            OperationsError: That it is done could not be noted afterwards, or the cluster refuses.
        """
        if self._next(letter) is None:
            return None
        native: Mapping[str, Any] = letter.native
        headers = [
            (name, value) for name, value in native["headers"] if not name.startswith(_OF_DEATH) and name not in marks
        ]
        return self._cluster.send(
            self.origin,
            partition=self._partition_of(letter.original_id),
            key=native["key"],
            value=native["value"],
            headers=[*headers, *((name, value.encode()) for name, value in marks.items())],
        )

    def delete(self, letter: DeadLetter) -> None:
        """Note that a letter is done.

        Args:
            letter: The letter.

        Raises:
            OperationsError: It cannot be noted, or the cluster refuses.
        """
        after = self._next(letter)
        if after is None:
            return
        number = letter.native["partition"]
        self._cluster.commit(self._group, self.name, number, after.before, after.metadata())
        self._handled[number] = after

    def _look(self) -> dict[int, Handled]:
        """What is done, by partition, as the group's commits show."""
        partitions = self._cluster.partitions(self.name)
        commits = self._cluster.committed(self._group, self.name, partitions)
        firsts = self._cluster.firsts(self.name, partitions)
        return {
            number: Handled.read(*commits.get(number, (firsts[number], ""))).from_(firsts[number])
            for number in partitions
        }

    def _next(self, letter: DeadLetter) -> Handled | None:
        """What will be done with this letter besides; None, if it is done already."""
        number, offset = letter.native["partition"], letter.native["offset"]
        # Asked anew each time: somebody else may have handled letters meanwhile.
        commits = self._cluster.committed(self._group, self.name, [number])
        known = self._handled[number]
        done = Handled.read(*commits[number]).from_(known.before) if number in commits else known
        if done.has(offset):
            return None
        after = done.with_(offset)
        if after.ranges and not self._is_metadata_kept(number, done):
            raise OperationsError(
                f"The broker of {self.name} keeps no metadata of commits, so that letters can only be handled from the "
                "oldest on; name the oldest of each partition by --id, or replay with --all --limit."
            )
        if len(after.metadata()) > MAX_METADATA_BYTES:
            raise OperationsError(
                f"Too many letters of {self.name} are left between those that are done, more than one commit can name; "
                "replay or purge the oldest first."
            )
        return after

    def _is_metadata_kept(self, number: int, done: Handled) -> bool:
        if self._keeps_metadata is None:
            if not done.ranges:
                self._cluster.commit(self._group, self.name, number, done.before, _PROBE)
                kept = self._cluster.committed(self._group, self.name, [number])
                self._keeps_metadata = kept.get(number, (0, ""))[1] == _PROBE
            else:
                self._keeps_metadata = True
        return self._keeps_metadata

    def _partition_of(self, original_id: str) -> int | None:
        """The partition that a record had: producers of other languages choose others for a key."""
        topic, _, rest = original_id.partition("/")
        number = rest.partition("/")[0]
        if topic != self.origin or not number.isdecimal():
            return None
        if self._origin_partitions is None:
            self._origin_partitions = self._cluster.partitions(self.origin)
        return int(number) if int(number) in self._origin_partitions else None


def _starts(handled: Mapping[int, Handled]) -> dict[int, int]:
    return {number: each.before for number, each in handled.items()}


def _letter(record: Any) -> DeadLetter:
    headers: list[tuple[str, bytes | None]] = record.headers() or []
    texts = {name: (value or b"").decode(errors="replace") for name, value in headers}
    key, value = record.key(), record.value()
    receives = texts.get("dlq.receiveCount", "")
    name = f"{record.topic()}/{record.partition()}/{record.offset()}"
    return DeadLetter(
        id=name,
        body="null" if value is None else value.decode(errors="replace"),
        reason=texts.get("dlq.reason") or "unknown",
        error=texts.get("dlq.error", ""),
        group=None if key is None else key.decode(errors="replace"),
        died_at=record.timestamp()[1] / 1_000,
        receives=int(receives) if receives.isdecimal() else 0,
        original_id=texts.get("dlq.originalMessageId", ""),
        attributes={name: text for name, text in texts.items() if not name.startswith(_OF_DEATH)},
        token=name,
        native={
            "partition": record.partition(),
            "offset": record.offset(),
            "key": key,
            "value": value,
            "headers": headers,
        },
    )
