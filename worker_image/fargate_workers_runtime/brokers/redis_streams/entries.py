"""Entries of a stream, and deliveries made of them."""

import json
import time
from collections.abc import Sequence

from fargate_workers_runtime.brokers.broker import Delivery

#: The field that holds the payload; an entry without it is a payload as a whole.
BODY = "body"

#: An entry's id begins with milliseconds since the epoch, unless its sender chose otherwise; this is in 1973.
_FIRST_TIME = 10**11


def text_of(value: bytes) -> str:
    """The text of bytes. What is not UTF-8 becomes text that no UTF-8 can hold, and so poison with a reason.

    Args:
        value: The bytes.
    """
    return value.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes of a text that `text_of` has made.

    Args:
        text: The text.
    """
    return text.encode(errors="surrogateescape")


def sent_at(entry_id: str) -> float | None:
    """When an entry was added, in seconds since the epoch; None, if its id does not show it.

    Args:
        entry_id: The entry's id.
    """
    milliseconds = int(entry_id.partition("-")[0])
    return milliseconds / 1000 if milliseconds >= _FIRST_TIME else None


def delivery(entry_id: bytes, pairs: Sequence[bytes], *, consumer: str, count: int, first: float | None) -> Delivery:
    """The delivery of an entry.

    Args:
        entry_id: The entry's id.
        pairs: Its fields and values, in turn, or its body alone.
        consumer: The name that it was received under.
        count: How often it has been delivered, this time included.
        first: When it was delivered first, in seconds since the epoch; None: now.
    """
    now = time.time()
    first = now if first is None else first
    name = text_of(entry_id)
    texts = [BODY, text_of(pairs[0])] if len(pairs) == 1 else [text_of(each) for each in pairs]
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    body = fields.pop(BODY, None)
    return Delivery.of(
        id=name,
        text=json.dumps(fields) if body is None else body,
        token=f"{consumer} {int(first * 1000)} {count}",
        receive_count=count,
        sent_at=sent_at(name),
        since_first=max(0.0, now - first),
        attributes=fields,
        native_attributes=fields,
    )
