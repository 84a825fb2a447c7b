"""A message as a handler sees it: checked, unwrapped and parsed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message, frozen. Its `repr` leaves the content out, so that it may be logged.

    Attributes:
        id: The queue's id. A redrive or a producer's retry changes it: never deduplicate on it.
        body: The parsed JSON. Envelopes of SNS, EventBridge and S3 are gone; what they said is in `attributes`.
        raw: The text as the queue delivered it, envelope included.
        attributes: String attributes of the message and of its envelope (EventBridge: `detail-type`, `source`, `id`,
            `time`).
        idempotency_key: Names the effect, across deliveries and redrives. Pass it on to whatever you call.
        receive_count: Deliveries of this message so far, this one included.
        attempt: Attempts at this key so far, this one included; counts across redrives when claims are on.
        group_id: The FIFO queue's message group.
        sent_at: When the producer sent it.
        deadline: When the worker gives up on this handler (MAX_PROCESSING_SECONDS).
        receipt: The queue's handle of this delivery.
    """

    id: str
    body: Any = field(repr=False)
    raw: str = field(repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    idempotency_key: str = ""
    receive_count: int = 1
    attempt: int = 1
    group_id: str | None = None
    sent_at: datetime | None = None
    deadline: datetime | None = None
    receipt: str = field(default="", repr=False)
    transaction: Callable[[Sequence[Mapping[str, Any]]], None] | None = field(default=None, repr=False, compare=False)

    def transact(self, items: Sequence[Mapping[str, Any]]) -> None:
        """Write `items` to DynamoDB and record this message's effect, in one transaction.

        Call it as the last thing the handler does: from then on the key is done. It closes the window that is left
        between an effect and the record of it. It costs twice the write units.

        Args:
            items: At most 99 entries of TransactWriteItems: `{"Put": {"TableName": ..., "Item": {...}}}` and its like.

        Raises:
            ClaimLost: Another attempt has taken over; nothing was written. Let it pass.
            TransactionCanceledException: A condition of `items` failed; nothing was written.
            TypeError: The worker has no claims in DynamoDB.
        """
        if self.transaction is None:
            raise TypeError("message.transact works inside a worker only; see fargate_workers_runtime.testing.")
        self.transaction(items)
