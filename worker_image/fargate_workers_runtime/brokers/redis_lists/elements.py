"""Elements of a list: the wrapping of the producer's messages, and deliveries made of what is taken."""

import time
import uuid
from collections.abc import Callable, Mapping

from fargate_workers_runtime.brokers.broker import Delivery

#: Hexadecimal digits of an id: twelve of the milliseconds since the epoch, and twenty by chance.
_ID_DIGITS = 32
_TIME_DIGITS = 12

_NONE: Mapping[str, str] = {}


def wrapped(body: bytes, *, clock: Callable[[], float] = time.time) -> tuple[str, bytes]:
    """A new id, and the element that has it before the body: equal bodies stay two messages.

    Args:
        body: The payload.
        clock: Seconds since the epoch.
    """
    made = f"{int(clock() * 1000):0{_TIME_DIGITS}x}{uuid.uuid4().hex[: _ID_DIGITS - _TIME_DIGITS]}"
    return made, f"{made}|".encode() + body


def sent_at(message_id: str) -> float | None:
    """When the producer sent it, in seconds since the epoch; None: the id is not the producer's.

    Args:
        message_id: The message's id, or what was in the list.
    """
    digits = message_id[:_ID_DIGITS]
    try:
        return int(digits[:_TIME_DIGITS], 16) / 1000 if len(digits) == _ID_DIGITS and int(digits, 16) else None
    except ValueError:
        return None


def delivery(message_id: bytes, element: bytes, *, owner: str, count: int, first: float) -> Delivery:
    """The delivery of an element.

    Args:
        message_id: The message's id.
        element: What was in the list.
        owner: Who has taken it.
        count: How often it has been delivered, this time included.
        first: When it was delivered first, in seconds since the epoch.
    """
    name = message_id.decode()
    # What is not UTF-8 becomes text that no UTF-8 can hold, and so poison with a reason.
    return Delivery.of(
        id=name,
        text=element.removeprefix(message_id + b"|").decode(errors="surrogateescape"),
        token=f"{owner} {int(first * 1000)} {count}",
        receive_count=count,
        sent_at=sent_at(name),
        since_first=max(0.0, time.time() - first),
        attributes=_NONE,
        native_attributes=_NONE,
    )
