"""The event of an invocation, as Lambda's event source mapping of a queue writes it.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
import binascii
import time
from collections.abc import Mapping
from typing import Any, NoReturn, cast

from fargate_workers_runtime.brokers.broker import Delivery
from fargate_workers_runtime.errors import EventError

#: What the event calls the parts of an attribute, and what SQS calls them.
_PARTS = {"dataType": "DataType", "stringValue": "StringValue", "binaryValue": "BinaryValue"}


def deliveries_of(event: object, *, queue_name: str) -> list[Delivery]:
    """The deliveries in an event, in its order; one message twice in it is one delivery, its last.

    Args:
        event: What Lambda passes to the function.
        queue_name: The queue whose messages are expected.

    Raises:
        EventError: It is no event of that queue.
    """
    records = cast("dict[str, Any]", event).get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records:
        _refuse("has no Records")
    deliveries: dict[str, Delivery] = {}
    for record in cast("list[Any]", records):
        delivery = _delivery(record, queue_name)
        deliveries.pop(delivery.id, None)
        deliveries[delivery.id] = delivery
    return list(deliveries.values())


def _delivery(record: Any, queue_name: str) -> Delivery:
    try:
        if record["eventSource"] != "aws:sqs":
            _refuse("has a record that is not of SQS")
        name = str(record["eventSourceARN"]).rpartition(":")[2]
        system: Mapping[str, Any] = record["attributes"]
        attributes = _attributes(record.get("messageAttributes") or {})
        # Every message of a FIFO queue has the second, and none of a standard queue, where the first names a tenant.
        group, fifo = system.get("MessageGroupId"), "MessageDeduplicationId" in system
        first = system.get("ApproximateFirstReceiveTimestamp")
        sent = system.get("SentTimestamp")
        delivery = Delivery(
            id=_text(record["messageId"]),
            text=_text(record["body"], may_be_empty=True),
            token=_text(record["receiptHandle"]),
            receive_count=int(system["ApproximateReceiveCount"]),
            group_id=group if fifo else None,
            tenant=None if fifo else group,
            sent_at=int(sent) / 1000 if sent else None,
            since_first=max(0.0, time.time() - int(first) / 1000) if first else None,
            attributes={name: each["StringValue"] for name, each in attributes.items() if "StringValue" in each},
            native_attributes=attributes,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, EventError):
            raise
        _refuse(f"has a record without a part that each has ({type(error).__name__})")
    if name != queue_name:
        _refuse(f"is of the queue {name}, and QUEUE_URL names {queue_name}")
    return delivery


def _attributes(given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The sender's attributes in SQS's own form, in which a dead letter keeps them."""
    return {
        name: {_PARTS[part]: _value(part, each[part]) for part in _PARTS if each.get(part) is not None}
        for name, each in given.items()
    }


def _value(part: str, value: Any) -> Any:
    if part != "binaryValue":
        return _text(value, may_be_empty=True)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _text(value: Any, *, may_be_empty: bool = False) -> str:
    if not isinstance(value, str) or not (value or may_be_empty):
        raise TypeError("no text")
    return value


def _refuse(why: str) -> NoReturn:
    raise EventError(
        f"The event {why}; connect the function to its queue alone, by an event source mapping "
        "(QueueFunction does). Its messages come back when their visibility timeout ends."
    )
