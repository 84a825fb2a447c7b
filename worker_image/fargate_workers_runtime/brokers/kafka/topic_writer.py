"""Writing to topics, with every delivery confirmed: dead letters, and records on their way to another attempt."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

_log = logging.getLogger(__name__)

#: After so many seconds, a record that was not confirmed has failed.
DELIVERY_SECONDS = 10

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A record's copy for another topic.

    Attributes:
        headers: All of them, the least important last.
        least: How many of them must be there: the others are left out of a record that is too large with them.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers
    least: int


class TopicWriter:
    """An idempotent producer that waits for all replicas (`acks=all`), made at the first write.

    Args:
        options: What a producer is made with.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = {
            **options,
            "acks": "all",
            "enable.idempotence": True,
            "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
            "linger.ms": 5,
            "message.max.bytes": 16 * 1024 * 1024,  # the topic decides
        }
        self._lock = threading.Lock()
        self.producer: Any = None

    def write(self, topic: str, copies: Sequence[Copy]) -> list[str | None]:
        """Write records and wait for each; returns why each one failed, None for those that arrived."""
        problems = self._write(topic, copies)
        too_large = [
            index
            for index, problem in enumerate(problems)
            if problem is not None and problem.code() == KafkaError.MSG_SIZE_TOO_LARGE
        ]
        if too_large:
            smaller = [_smaller(copies[index]) for index in too_large]
            for index, problem in zip(too_large, self._write(topic, smaller), strict=True):
                problems[index] = problem
        return [None if problem is None else problem.name() for problem in problems]

    def serve(self) -> None:
        """Let the client renew its token: it does so only when it is called."""
        if self.producer is not None:
            self.producer.poll(0)

    def close(self) -> None:
        """Drop the producer; what was not confirmed has failed already."""
        with self._lock:
            self.producer = None

    def _write(self, topic: str, copies: Sequence[Copy]) -> list[KafkaError | None]:
        producer = self._open()
        answers: dict[int, KafkaError | None] = {}
        for index, each in enumerate(copies):
            try:
                producer.produce(
                    topic, key=each.key, value=each.value, headers=each.headers, on_delivery=_into(answers, index)
                )
            except KafkaException as error:
                answers[index] = error.args[0]
            except BufferError:
                answers[index] = KafkaError(KafkaError._QUEUE_FULL)
        until = time.monotonic() + DELIVERY_SECONDS + 5
        while len(answers) < len(copies) and time.monotonic() < until:
            producer.poll(0.1)
        late = KafkaError(KafkaError._TIMED_OUT)
        problems = [answers.get(index, late) for index in range(len(copies))]
        if any(problem is not None and problem.fatal() for problem in problems):
            _log.warning("producer_replaced")
            self.close()  # a fatal error is for good; the next write makes another
        return problems

    def _open(self) -> Any:
        with self._lock:
            if self.producer is None:
                self.producer = Producer(self._options, logger=_log)
            return self.producer


def _into(answers: dict[int, KafkaError | None], index: int) -> Callable[[KafkaError | None, object], None]:
    def arrived(error: KafkaError | None, _message: object) -> None:
        answers[index] = error

    return arrived


def _smaller(copy: Copy) -> Copy:
    return Copy(key=copy.key, value=copy.value, headers=copy.headers[: copy.least], least=copy.least)
