"""The queue, in SQS."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fargate_workers_runtime.batches import MAX_BATCH_BYTES, batches
from fargate_workers_runtime.queue import DeadLetter, Failure, Received

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

#: SQS bills each 64 KB of a request's payload as a request: https://aws.amazon.com/sqs/pricing/
_BILLED_BYTES = 64 * 1024

#: SQS takes ten attributes a message; five are ours.
_KEPT_ATTRIBUTES = 5


class SqsQueue:
    """An SQS queue, standard or FIFO, and its dead-letter queue.

    Args:
        billed: Called with the number of requests that a call is billed as.
    """

    def __init__(
        self,
        client: "SQSClient",
        url: str,
        *,
        dead_letter_queue_url: str | None = None,
        billed: Callable[[int], None] = lambda _requests: None,
    ) -> None:
        self._client = client
        self._url = url
        self._dead_letter_queue_url = dead_letter_queue_url
        self._billed = billed

    @property
    def fifo(self) -> bool:
        return self._url.endswith(".fifo")

    @property
    def has_dead_letter_queue(self) -> bool:
        return self._dead_letter_queue_url is not None

    def receive(self, limit: int, *, wait: int, visibility: int) -> list[Received]:
        # The visibility timeout goes with every request: a worker never has to guess what the queue's own is.
        response = self._client.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait,
            VisibilityTimeout=visibility,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "MessageGroupId", "SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        received = [_received(message) for message in response.get("Messages", [])]
        self._billed(_requests(sum(len(each.text) for each in received)))
        return received

    def delete(self, receipts: Sequence[str]) -> list[Failure]:
        return _twice(
            [{"ReceiptHandle": receipt} for receipt in receipts],
            lambda entries: self._client.delete_message_batch(QueueUrl=self._url, Entries=entries),
            self._billed,
        )

    def set_visibility(self, changes: Sequence[tuple[str, int]]) -> list[Failure]:
        return _twice(
            [{"ReceiptHandle": receipt, "VisibilityTimeout": seconds} for receipt, seconds in changes],
            lambda entries: self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries),
            self._billed,
        )

    def bury(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        url = self._dead_letter_queue_url
        if url is None:
            raise ValueError("There is no dead-letter queue to send to; set DEAD_LETTER_QUEUE_URL.")
        failures: list[Failure] = []
        sized = [(index, self._dead_letter(letter)) for index, letter in enumerate(letters)]
        for batch in batches(sized, size_of=lambda item: _size(item[1])):
            failed = _twice(
                [entry for _, entry in batch],
                lambda entries: self._client.send_message_batch(QueueUrl=url, Entries=entries),
                self._billed,
            )
            failures += [
                Failure(index=batch[each.index][0], permanent=each.permanent, code=each.code) for each in failed
            ]
        return failures

    def _dead_letter(self, letter: DeadLetter) -> dict[str, Any]:
        received = letter.received
        said = {
            "dlq.reason": letter.reason,
            "dlq.error": letter.detail or letter.reason,
            "dlq.source": self._url.rsplit("/", 1)[-1],
            "dlq.receiveCount": str(received.receive_count),
            "dlq.originalMessageId": received.id,
        }
        # Those of an earlier burial would crowd out the sender's own.
        sent = [(name, value) for name, value in received.attributes.items() if not name.startswith("dlq.")]
        kept = dict(sent[:_KEPT_ATTRIBUTES])
        entry: dict[str, Any] = {
            "MessageBody": received.text,
            "MessageAttributes": {
                **{
                    name: {k: v for k, v in value.items() if not k.endswith("ListValues")}
                    for name, value in kept.items()
                },
                **{name: {"DataType": "String", "StringValue": _printable(value)} for name, value in said.items()},
            },
        }
        _make_room(entry)
        if self.fifo:
            entry["MessageGroupId"] = received.group_id or received.id
            entry["MessageDeduplicationId"] = received.id
        return entry


def _received(message: Mapping[str, Any]) -> Received:
    system = message.get("Attributes", {})
    sent = system.get("SentTimestamp")
    return Received(
        id=message["MessageId"],
        text=message["Body"],
        receipt=message["ReceiptHandle"],
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        group_id=system.get("MessageGroupId"),
        sent_at=int(sent) / 1000 if sent else None,
        attributes=message.get("MessageAttributes", {}),
    )


def _twice(
    entries: Sequence[Mapping[str, Any]], send: Callable[[Any], Any], billed: Callable[[int], None]
) -> list[Failure]:
    """Send one batch, and once more those entries which failed through no fault of theirs."""
    # Ids are positions: a message delivered twice into one batch must not repeat an id, or SQS refuses all of it.
    pending = {str(index): {"Id": str(index), **entry} for index, entry in enumerate(entries)}
    permanent: list[Failure] = []
    failed: Iterable[Mapping[str, Any]] = ()
    for _ in range(2):
        failed = send(list(pending.values())).get("Failed", [])
        billed(_requests(sum(len(entry.get("MessageBody", "")) for entry in pending.values())))
        permanent += [_failure(entry) for entry in failed if entry.get("SenderFault")]
        pending = {entry["Id"]: pending[entry["Id"]] for entry in failed if not entry.get("SenderFault")}
        if not pending:
            return permanent
    return permanent + [_failure(entry) for entry in failed if not entry.get("SenderFault")]


def _requests(characters: int) -> int:
    """Requests that a payload is billed as; a character is a byte in most, and this is a metric, not the bill."""
    return max(1, math.ceil(characters / _BILLED_BYTES))


def _failure(entry: Mapping[str, Any]) -> Failure:
    return Failure(index=int(entry["Id"]), permanent=bool(entry.get("SenderFault")), code=entry.get("Code", ""))


def _printable(value: str) -> str:
    """`value` as SQS takes it in an attribute: not empty, no control characters, short."""
    return "".join(c if c.isprintable() else " " for c in value)[:500].strip() or "-"


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
