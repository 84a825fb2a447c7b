"""The reading of partitions to their ends, which the broker itself names: no clock decides where a log ends."""

import time
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.operations.sources.source import UnreachableError

#: Seconds without an answer after which a broker is taken for silent.
_PATIENCE = 30.0
#: Seconds of one look; there are many until a broker answers, and one after the ends were reached.
_LOOK = 0.2


class LogReader:
    """Reads some partitions of a topic, each in its order.

    Args:
        consumer: A consumer, which has joined nothing.
        client: The client's package.
        topic: The topic.
        starts: The first offset by partition.
    """

    def __init__(self, consumer: Any, client: Any, topic: str, starts: Mapping[int, int]) -> None:
        self._consumer = consumer
        self._client = client
        self._topic = topic
        self._open = set(starts)
        consumer.assign([client.TopicPartition(topic, number, offset) for number, offset in starts.items()])

    def read(self, most: int) -> list[Any]:
        """The next records; none, once the end of each partition is reached.

        Args:
            most: How many at most.

        Raises:
            OperationsError: The broker is silent.
        """
        until = time.monotonic() + _PATIENCE
        while True:
            was_open = bool(self._open)
            found = self._consume(most, _LOOK)
            if found or not was_open:
                return found
            if time.monotonic() > until:
                raise UnreachableError.of(self._topic, "no answer")

    def ends(self) -> tuple[dict[int, int], float | None]:
        """The offset behind the last record of each partition, and when the oldest that is left to read was sent.

        The answer to a first read has the end; a request for it alone would be one for each partition.

        Raises:
            OperationsError: The broker is silent.
        """
        seen: set[int] = set()
        oldest: float | None = None
        wanted = set(self._open)
        until = time.monotonic() + _PATIENCE
        while seen | (wanted - self._open) < wanted:
            for record in self._consume(1, _LOOK):
                number = record.partition()
                kind, milliseconds = record.timestamp()
                if number not in seen and kind:
                    oldest = min(oldest or float("inf"), milliseconds / 1_000)
                seen.add(number)
                self._consumer.pause([self._client.TopicPartition(self._topic, number)])
            if time.monotonic() > until:
                raise UnreachableError.of(self._topic, "no answer")
        return {number: self._end(number) for number in sorted(wanted)}, oldest

    def _end(self, number: int) -> int:
        place = self._client.TopicPartition(self._topic, number)
        return self._consumer.get_watermark_offsets(place, cached=True)[1]

    def _consume(self, most: int, seconds: float) -> list[Any]:
        records: list[Any] = []
        for each in self._consumer.consume(most, seconds):
            error = each.error()
            if error is None:
                self._open.add(each.partition())
                records.append(each)
            elif error.code() == self._client.KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                self._open.discard(each.partition())
            else:
                raise self._client.KafkaException(error)
        return records
