"""SQS: the broker of a standard or FIFO queue. Batches of ten, receipt handles and visibility timeouts are its own."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.brokers.broker import Capabilities, DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.sqs.batches import BATCH, MAX_BATCH_BYTES, batches
from fargate_workers_runtime.plain_values import text_of

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.literals import MessageSystemAttributeNameType, QueueAttributeNameType

#: The longest that SQS hides a message, from its receive on, in seconds.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
LONGEST_VISIBILITY = 12 * 3600

#: SQS bills each 64 KB of a request's payload as a request: https://aws.amazon.com/sqs/pricing/
_BILLED_BYTES = 64 * 1024

#: SQS takes ten attributes a message; a dead letter adds five.
_KEPT_ATTRIBUTES = 5

_SYSTEM_ATTRIBUTES: "list[MessageSystemAttributeNameType]" = [
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "MessageGroupId",
    "SentTimestamp",
]

_COUNTS: "list[QueueAttributeNameType]" = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
]


class SqsBroker:
    """An SQS queue, standard or FIFO, and its dead-letter queue.

    Args:
        client: The client for polls.
        prompt: The client for all other requests, which are answered at once or not at all. Default: `client`.
        billed: Called with the number of requests that a call is billed as.
    """

    def __init__(
        self,
        client: "SQSClient",
        url: str,
        *,
        prompt: "SQSClient | None" = None,
        dead_letter_queue_url: str | None = None,
        billed: Callable[[int], None] = lambda _requests: None,
    ) -> None:
        self._client = client
        self._prompt = prompt or client
        self._url = url
        self._dead_letter_queue_url = dead_letter_queue_url
        self._billed = billed
        self._fifo = url.endswith(".fifo")
        self._capabilities = Capabilities(
            largest_batch=BATCH,
            longest_lease=LONGEST_VISIBILITY,
            renews_leases=True,
            orders_groups=self._fifo,
            counts_deliveries=True,
            one_reader=False,
            dead_letters=dead_letter_queue_url is not None,
        )

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def receive(self, limit: int, *, wait: int, lease: int) -> list[Delivery]:
        # The visibility timeout goes with every request: a worker never depends on the queue's own.
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait,
            VisibilityTimeout=lease,
            MessageSystemAttributeNames=_SYSTEM_ATTRIBUTES,
            MessageAttributeNames=["All"],
        )
        deliveries = [_delivery(message, fifo=self._fifo) for message in response.get("Messages", [])]
        self._billed(_requests(sum(len(each.text) for each in deliveries)))
        return deliveries

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        return _twice(
            [{"ReceiptHandle": each.token} for each in deliveries],
            lambda entries: self._prompt.delete_message_batch(QueueUrl=self._url, Entries=entries),
            self._billed,
        )

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:
        return self._set_visibility([(each, seconds) for each in deliveries])

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        return self._set_visibility(releases)

    def _set_visibility(self, changes: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        return _twice(
            [{"ReceiptHandle": each.token, "VisibilityTimeout": seconds} for each, seconds in changes],
            lambda entries: self._prompt.change_message_visibility_batch(QueueUrl=self._url, Entries=entries),
            self._billed,
        )

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        url = self._dead_letter_queue_url
        if url is None:
            raise ValueError("There is no dead-letter queue to send to; set DEAD_LETTER_QUEUE_URL.")
        failures: list[Failure] = []
        entries: list[tuple[int, dict[str, Any]]] = []
        for index, letter in enumerate(letters):
            try:
                entries.append((index, self._entry(letter)))
            except Exception as error:  # one that cannot be written must not keep back the others
                failures.append(Failure(index=index, permanent=True, code=type(error).__name__))
        arrived = False
        for batch in batches(entries, size_of=lambda item: _size(item[1])):
            try:
                failed = _twice(
                    [entry for _, entry in batch],
                    lambda entries: self._prompt.send_message_batch(QueueUrl=url, Entries=entries),
                    self._billed,
                )
            except Exception as error:
                if not arrived:
                    raise
                # Raised, this would have the letters of the requests before sent once more.
                code = type(error).__name__
                failures += [Failure(index=index, permanent=False, code=code) for index, _ in batch]
            else:
                arrived = True
                failures += [
                    Failure(index=batch[each.index][0], permanent=each.permanent, code=each.code) for each in failed
                ]
        return failures

    def lag(self) -> Lag:
        """The messages that are not acknowledged yet. It takes sqs:GetQueueAttributes, which a worker does not need."""
        attributes = self._prompt.get_queue_attributes(QueueUrl=self._url, AttributeNames=_COUNTS)["Attributes"]
        self._billed(1)
        # Delayed messages are counted apart, by the queues that have any.
        waiting, leased, delayed = (int(attributes.get(name, 0)) for name in _COUNTS)
        return Lag(waiting=waiting + delayed, leased=leased)

    def close(self) -> None:
        self._client.close()
        self._prompt.close()

    def _entry(self, letter: DeadLetter) -> dict[str, Any]:
        delivery = letter.delivery
        said = {
            "dlq.reason": letter.reason,
            "dlq.error": letter.detail or letter.reason,
            "dlq.source": self._url.rsplit("/", 1)[-1],
            "dlq.receiveCount": str(delivery.receive_count),
            "dlq.originalMessageId": delivery.id,
        }
        # Those of an earlier dead letter would crowd out the sender's own.
        sent = [(name, value) for name, value in delivery.native_attributes.items() if not name.startswith("dlq.")]
        kept = dict(sent[:_KEPT_ATTRIBUTES])
        entry: dict[str, Any] = {
            "MessageBody": delivery.text,
            "MessageAttributes": {
                **{
                    name: {k: v for k, v in value.items() if not k.endswith("ListValues")}
                    for name, value in kept.items()
                },
                **{name: {"DataType": "String", "StringValue": _printable(value)} for name, value in said.items()},
            },
        }
        _make_room(entry)
        if self._fifo:
            entry["MessageGroupId"] = delivery.group_id or delivery.id
            entry["MessageDeduplicationId"] = delivery.id
        elif delivery.tenant is not None:
            # It comes back with a redrive.
            entry["MessageGroupId"] = delivery.tenant
        return entry


def _delivery(message: Mapping[str, Any], *, fifo: bool) -> Delivery:
    system = message.get("Attributes", {})
    sent, first = system.get("SentTimestamp"), system.get("ApproximateFirstReceiveTimestamp")
    attributes = message.get("MessageAttributes", {})
    return Delivery.of(
        id=message["MessageId"],
        text=message["Body"],
        token=message["ReceiptHandle"],
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        # In a standard queue it names a tenant, whose messages have no order:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
        group_id=system.get("MessageGroupId") if fifo else None,
        tenant=None if fifo else system.get("MessageGroupId"),
        sent_at=int(sent) / 1000 if sent else None,
        since_first=max(0.0, time.time() - int(first) / 1000) if first else None,
        attributes={name: value["StringValue"] for name, value in attributes.items() if "StringValue" in value},
        native_attributes=attributes,
    )


def _twice(
    entries: Sequence[Mapping[str, Any]], send: Callable[[Any], Any], billed: Callable[[int], None]
) -> list[Failure]:
    """Send one batch, and once more those entries which failed for a reason outside of themselves."""
    # Ids are positions: a message delivered twice into one batch must not repeat an id, or SQS refuses all of it.
    pending = {str(index): {"Id": str(index), **entry} for index, entry in enumerate(entries)}
    permanent: list[Failure] = []
    again: list[Failure] = []
    for sends in range(2):
        try:
            failed = send(list(pending.values())).get("Failed", [])
        except Exception as error:
            if sends == 0:
                raise
            # Raised, this would have what the first request carried out sent once more.
            return permanent + [replace(failure, code=type(error).__name__) for failure in again]
        billed(_requests(sum(len(entry.get("MessageBody", "")) for entry in pending.values())))
        failures = [_failure(entry) for entry in failed]
        permanent += [failure for failure in failures if failure.permanent]
        again = [failure for failure in failures if not failure.permanent]
        if not again:
            return permanent
        pending = {str(failure.index): pending[str(failure.index)] for failure in again}
    return permanent + again


def _requests(characters: int) -> int:
    """Requests that a payload is billed as; a character is a byte in most, and this is a metric, not the bill."""
    return max(1, math.ceil(characters / _BILLED_BYTES))


def _failure(entry: Mapping[str, Any]) -> Failure:
    return Failure(index=int(entry["Id"]), permanent=bool(entry.get("SenderFault")), code=entry.get("Code", ""))


def _printable(value: object) -> str:
    """`value` as SQS takes it in an attribute: text, not empty, no control characters, short."""
    return "".join(c if c.isprintable() else " " for c in text_of(value)[:500]).strip() or "-"


def _make_room(entry: dict[str, Any]) -> None:
    """Leave out attributes, the reason last, while the whole is larger than SQS takes: the body fills it alone."""
    attributes = entry["MessageAttributes"]
    least_first = [name for name in attributes if not name.startswith("dlq.")]
    least_first += [f"dlq.{name}" for name in ("originalMessageId", "receiveCount", "source", "error", "reason")]
    for name in least_first:
        if _size(entry) <= MAX_BATCH_BYTES:
            return
        del attributes[name]


def _size(entry: Mapping[str, Any]) -> int:
    """Bytes that SQS counts: the body, and each attribute's name, type and value."""
    total = len(entry["MessageBody"].encode())
    for name, value in entry["MessageAttributes"].items():
        total += (
            len(name)
            + len(value["DataType"])
            + len(value.get("StringValue", "").encode())
            + len(value.get("BinaryValue", b""))
        )
    return total
