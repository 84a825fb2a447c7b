"""What a log line carries of the message at work; made when a line is logged, because most messages log none."""

import hashlib
from typing import Any

from fargate_workers_runtime.message import Message
from fargate_workers_runtime.telemetry import exception_fields

#: Attributes of a message that was a dead letter: the id with which it first came, set by a replay, or by the worker
#: that gave it up.
_BEFORE = ("replay.first", "replay.of", "dlq.originalMessageId")

#: Characters of a key's digest: enough to find a key by, and no more.
_DIGITS = 16


class LoggedMessage:
    """A message whose fields are made when it is called.

    Args:
        message: The message.
    """

    __slots__ = ("_message",)

    def __init__(self, message: Message) -> None:
        self._message = message

    def __call__(self) -> dict[str, Any]:
        """The fields: `message_id`, `receive_count`, and where they are known `key` and `replay_of`."""
        message = self._message
        fields: dict[str, Any] = {"message_id": message.id, "receive_count": message.receive_count}
        if message.idempotency_key not in ("", message.id):
            fields["key"] = logged_key(message.idempotency_key)
        if before := replay_of(message):
            fields["replay_of"] = before
        return fields


def logged_key(key: str) -> str:
    """An idempotency key as it is logged: in full with LOG_EXCEPTION_TEXT, else its digest, because it may be personal.

    `fargate-workers tail --key` searches for the same digest.
    """
    if exception_fields.with_text:
        return key
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]}"


def replay_of(message: Message) -> str | None:
    """The id with which a message that was a dead letter first came; None for any other."""
    attributes = message.attributes
    return next((attributes[name] for name in _BEFORE if name in attributes), None) if attributes else None
