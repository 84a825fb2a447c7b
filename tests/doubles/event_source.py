"""Lambda's event source mapping, as far as a function sees it: it receives, invokes, and deletes what did not fail."""

import base64
import time
from collections.abc import Callable, Sequence
from typing import Any

from fargate_workers_runtime.brokers.broker import Broker, Delivery

ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"


class Context:
    """What Lambda says of an invocation that began now and may take `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._until - time.monotonic()) * 1000))


class EventSource:
    """An event source mapping of `queue`, which calls `function` when `poll` is called.

    Attributes:
        reported: The ids that each invocation reported as failed.
    """

    def __init__(
        self,
        queue: Broker,
        function: Callable[[Any, Any], Any],
        *,
        batch_size: int = 10,
        visibility: int = 420,
        timeout: float = 70,
    ) -> None:
        self._queue = queue
        self._function = function
        self._batch_size = batch_size
        self._visibility = visibility
        self._timeout = timeout
        self.reported: list[list[str]] = []

    def poll(self) -> int:
        """One batch, if there is any; returns how many messages were in it. An error leaves the batch hidden."""
        deliveries = self._queue.receive(self._batch_size, wait=0, lease=self._visibility)
        if not deliveries:
            return 0
        answer = self._function(event_of(deliveries), Context(self._timeout))
        failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
        self.reported.append(failed)
        self._queue.acknowledge([each for each in deliveries if each.id not in failed])
        return len(deliveries)


def event_of(deliveries: Sequence[Delivery], *, arn: str = ARN) -> dict[str, Any]:
    """The event of a batch: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    return {"Records": [_record(each, arn) for each in deliveries]}


def _record(delivery: Delivery, arn: str) -> dict[str, Any]:
    now = int(time.time() * 1000)
    sent = now if delivery.sent_at is None else int(delivery.sent_at * 1000)
    attributes = {
        "ApproximateReceiveCount": str(delivery.receive_count),
        "ApproximateFirstReceiveTimestamp": str(now - int(1000 * (delivery.since_first or 0))),
        "SentTimestamp": str(sent),
        "SenderId": "AIDAEXAMPLE",
    }
    if delivery.group_id is not None:
        attributes |= {"MessageGroupId": delivery.group_id, "MessageDeduplicationId": delivery.id}
    return {
        "messageId": delivery.id,
        "receiptHandle": str(delivery.token),
        "body": delivery.text,
        "attributes": attributes,
        "messageAttributes": {name: _attribute(value) for name, value in _native(delivery).items()},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "eu-west-1",
    }


def _native(delivery: Delivery) -> dict[str, Any]:
    texts = {name: {"DataType": "String", "StringValue": value} for name, value in delivery.attributes.items()}
    return {**texts, **delivery.native_attributes}


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    binary = value.get("BinaryValue")
    return {
        "dataType": value["DataType"],
        **({"stringValue": value["StringValue"]} if "StringValue" in value else {}),
        **({"binaryValue": base64.b64encode(binary).decode()} if binary is not None else {}),
        "stringListValues": [],
        "binaryListValues": [],
    }
