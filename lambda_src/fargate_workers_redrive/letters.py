"""A dead letter in SQS, and the message that it becomes again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

#: The prefix of the attributes that a worker gives a message when it gives it up.
OF_DEATH = "dlq."
#: What SQS itself gives up has no reason; EventBridge and SNS name theirs.
BY_REDRIVE_POLICY = "received too often"
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MOST_BYTES, MOST_ATTRIBUTES = 1_048_576, 10


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """One message that was given up, while it is leased; see `fargate_workers_redrive.where.Letter`.

    Args:
        id: Its id among the dead letters.
        body: Its body.
        reason: Why it was given up.
        error: The error, in the worker's words.
        group: The group whose order it belongs to. None: none.
        died_at: When it was given up, in seconds since 1970.
        receives: How often it was delivered before.
        original_id: Its id before it died. Empty: unknown.
        attributes: The sender's attributes, as text.
        handle: By which SQS knows it while it is leased.
        native: Its attributes as SQS has them.
        trace: Its trace of X-Ray. Empty: none.
    """

    id: str
    body: str
    reason: str
    error: str
    group: str | None
    died_at: float
    receives: int
    original_id: str
    attributes: Mapping[str, str]
    handle: str = field(repr=False)
    native: Mapping[str, Any] = field(repr=False)
    trace: str = field(repr=False)


def dead_letter(message: Mapping[str, Any]) -> DeadLetter:
    """A dead letter, of what SQS answers.

    Args:
        message: A received message, with all its attributes.
    """
    system: Mapping[str, str] = message.get("Attributes", {})
    native: Mapping[str, Any] = message.get("MessageAttributes", {})
    texts = {name: value["StringValue"] for name, value in native.items() if "StringValue" in value}
    return DeadLetter(
        id=message["MessageId"],
        body=message["Body"],
        reason=texts.get("dlq.reason") or texts.get("ERROR_CODE") or BY_REDRIVE_POLICY,
        error=texts.get("dlq.error") or texts.get("ERROR_MESSAGE", ""),
        group=system.get("MessageGroupId"),
        died_at=int(system.get("SentTimestamp", 0)) / 1_000,
        receives=int(texts.get("dlq.receiveCount") or 0) or int(system.get("ApproximateReceiveCount", 1)) - 1,
        original_id=texts.get("dlq.originalMessageId", ""),
        attributes={name: value for name, value in texts.items() if not name.startswith(OF_DEATH)},
        handle=message["ReceiptHandle"],
        native=native,
        trace=system.get("AWSTraceHeader", ""),
    )


def sent_again(letter: DeadLetter, *, queue_url: str, now: float) -> dict[str, Any]:
    """The request by which a letter returns: its body, its group and its sender's attributes, and when it was replayed.

    Args:
        letter: The letter.
        queue_url: The queue that it came from.
        now: Seconds since 1970.
    """
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    request: dict[str, Any] = {
        "QueueUrl": queue_url,
        "MessageBody": letter.body,
        "MessageAttributes": with_marks(letter.body, letter.native, {"replay.of": letter.id, "replay.at": at}),
    }
    if letter.group is not None:
        request["MessageGroupId"] = letter.group
    if queue_url.endswith(".fifo"):
        # By content, SQS would take it for the message that died, or for another of equal content.
        request["MessageDeduplicationId"] = f"replay-{letter.id}"
    if letter.trace:
        request["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": letter.trace}}
    return request


def with_marks(body: str, native: Mapping[str, Any], marks: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The sender's attributes, and the marks while SQS takes them: ten attributes, 1 MiB with the body.

    Args:
        body: The letter's body.
        native: Its attributes as SQS has them.
        marks: Attributes that are added.
    """
    kept = {
        name: {key: value[key] for key in ("DataType", "StringValue", "BinaryValue") if key in value}
        for name, value in native.items()
        if not name.startswith(OF_DEATH) and name not in marks
    }
    room = MOST_BYTES - len(body.encode()) - sum(_size(name, value) for name, value in kept.items())
    for name, value in marks.items():
        mark = {"DataType": "String", "StringValue": _printable(value)}
        room -= _size(name, mark)
        if room < 0 or len(kept) == MOST_ATTRIBUTES:
            break
        kept[name] = mark
    return kept


def _size(name: str, value: Mapping[str, Any]) -> int:
    text, binary = value.get("StringValue", ""), value.get("BinaryValue", b"")
    return len(name.encode()) + len(value["DataType"]) + len(text.encode()) + len(binary)


def _printable(value: str) -> str:
    return re.sub(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD]", " ", value) or "-"
