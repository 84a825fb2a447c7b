"""Records as deliveries, and as copies for the topics of those that failed."""

import time
from collections.abc import Mapping
from typing import Any

from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.brokers.kafka.records import Record
from fargate_workers_runtime.brokers.kafka.topic_writer import Copy, Headers
from fargate_workers_runtime.plain_values import text_of

#: Headers of a dead letter and of a record in the retry topic; those that an earlier one brought are replaced.
_DEAD, _RETRY = "dlq.", "retry."
_NONE: Mapping[str, str] = {}
_DUE, _FAILED, _ID = "retry.due", "retry.failed", "retry.originalMessageId"


def delivery_of(record: Record, *, now: float) -> Delivery:
    """The delivery of a record that is leased.

    A value that is no UTF-8 becomes text that no check lets pass; no value, which deletes a key from a compacted
    topic, is JSON's null.
    """
    message = record.message
    value, headers = message.value(), message.headers()
    kind, milliseconds = message.timestamp()
    text = "null" if value is None else value.decode("utf-8", "surrogateescape")
    attributes: Mapping[str, str] = _texts(headers) if headers else _NONE
    return Delivery.of(
        id=attributes.get(_ID) or id_of(record),
        text=text,
        token=record.token,
        receive_count=max(record.deliveries, record.begun + 1),
        group_id=record.group.name,
        sent_at=milliseconds / 1000 if kind else None,
        since_first=None if record.first_at is None else max(0.0, now - record.first_at),
        attributes=attributes,
        native_attributes=_NONE,
        begun=record.begun,
        failed=record.failed,
    )


def id_of(record: Record) -> str:
    """The topic, the partition and the offset of a record: its name for good."""
    return f"{record.partition.name}/{record.offset}"


def dead_letter(record: Record, delivery: Delivery, *, reason: str, detail: str) -> Copy:
    """The copy for the dead-letter topic: key, value and headers as they were, and why it is there."""
    said: Headers = [
        ("dlq.reason", _bytes(reason)),
        ("dlq.error", _bytes(detail or reason)),
        ("dlq.source", _bytes(record.partition.topic)),
        ("dlq.originalMessageId", _bytes(delivery.id)),
        ("dlq.receiveCount", _bytes(delivery.receive_count)),
    ]
    return Copy(
        key=record.message.key(),
        value=record.message.value(),
        headers=[*said, *_others(record, _DEAD, _RETRY)],
        least=1,
    )


def another_attempt(record: Record, delivery: Delivery, *, seconds: float) -> Copy:
    """The copy for the retry topic: when it is due, and how often it has failed."""
    said: Headers = [
        (_DUE, _bytes(int((time.time() + seconds) * 1000))),
        (_FAILED, _bytes(record.failed)),
        (_ID, _bytes(delivery.id)),
    ]
    return Copy(
        key=record.message.key(), value=record.message.value(), headers=[*said, *_others(record, _RETRY)], least=3
    )


def due_and_failed(headers: Headers | None) -> tuple[float | None, int]:
    """When a record of the retry topic is due, in seconds since the epoch, and how often it has failed."""
    texts = _texts(headers or [])
    due, failed = texts.get(_DUE, ""), texts.get(_FAILED, "")
    return int(due) / 1000 if due.isdecimal() else None, int(failed) if failed.isdecimal() else 0


def _others(record: Record, *prefixes: str) -> Headers:
    headers: Any = record.message.headers() or []
    return [(name, value) for name, value in headers if not name.startswith(prefixes)]


def _texts(headers: Headers) -> Mapping[str, str]:
    texts: dict[str, str] = {}
    for name, value in headers:
        try:
            texts[name] = "" if value is None else bytes(value).decode()
        except UnicodeDecodeError:
            continue
    return texts


def _bytes(value: object) -> bytes:
    return text_of(value).encode()
