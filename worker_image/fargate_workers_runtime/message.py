"""A message as a handler sees it: checked, unwrapped and parsed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Protocol

from fargate_workers_runtime.brokers import Delivery


class EffectBlock(Protocol):
    """The block of `message.effect_in`, for `with` or, with an asynchronous connection, for `async with`."""

    def __enter__(self) -> None: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    async def __aenter__(self) -> None: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message, frozen. Its `repr` leaves the content out, so that it may be logged.

    Attributes:
        id: The broker's id. A redrive or a producer's retry changes it: never deduplicate on it.
        body: The parsed JSON. Envelopes of SNS, EventBridge and S3 are gone; their fields are in `attributes`. With
            `run(…, body="text")` the text as it was sent, with "bytes" what its base64 stands for.
        raw: The text as the broker delivered it, envelope included.
        attributes: String attributes of the message and of its envelope (EventBridge: `detail-type`, `source`, `id`,
            `time`). Default: none.
        idempotency_key: Names the effect, across deliveries and redrives. Pass it on to whatever you call.
        receive_count: Deliveries of this message so far, this one included. A retry in hand counts like one.
        attempt: Attempts at this key so far, this one included; counts across redrives when claims are on.
        group_id: The FIFO queue's message group.
        tenant: The MessageGroupId of a standard queue: whose message it is. Default: None, the sender named none.
        sent_at: When the producer sent it.
        deadline: When the worker gives up on this handler (MAX_PROCESSING_SECONDS).
        receipt: The broker's own name of this delivery.
        transaction: What `transact` calls with its items. Default: None, outside a worker.
        effect: What `effect_in` calls with its connection. Default: None, outside a worker.
    """

    id: str
    body: Any = field(repr=False)
    raw: str = field(repr=False)
    attributes: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    idempotency_key: str = ""
    receive_count: int = 1
    attempt: int = 1
    group_id: str | None = None
    tenant: str | None = None
    sent_at: datetime | None = None
    deadline: datetime | None = None
    receipt: str = field(default="", repr=False)
    transaction: Callable[[Sequence[Mapping[str, Any]]], None] | None = field(default=None, repr=False, compare=False)
    effect: Callable[[Any], EffectBlock] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, delivery: Delivery, *, body: Any, attributes: Mapping[str, str], idempotency_key: str) -> "Message":
        """The message of a delivery.

        Args:
            delivery: The broker's delivery.
            body: The payload as the handler sees it.
            attributes: String attributes of the message and of its envelope.
            idempotency_key: The name of the effect.
        """
        made = object.__new__(cls)  # __init__ of a frozen class takes three times as long
        made.__dict__.update(
            id=delivery.id,
            body=body,
            raw=delivery.text,
            attributes=attributes,
            idempotency_key=idempotency_key,
            receive_count=delivery.receive_count,
            attempt=delivery.receive_count,
            group_id=delivery.group_id,
            tenant=delivery.tenant,
            sent_at=None if delivery.sent_at is None else datetime.fromtimestamp(delivery.sent_at, UTC),
            receipt=str(delivery.token),
        )
        return made

    def begun(
        self,
        *,
        deadline: datetime,
        transaction: Callable[[Sequence[Mapping[str, Any]]], None],
        effect: Callable[[Any], EffectBlock],
    ) -> "Message":
        """The message with what a worker gives it when its handler begins.

        `dataclasses.replace` does the same in ten times the time, of which a quick handler's message has little.

        Args:
            deadline: When the worker gives up on the handler.
            transaction: What `transact` calls with its items.
            effect: What `effect_in` calls with its connection.
        """
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, deadline=deadline, transaction=transaction, effect=effect)
        return made

    def transact(self, items: Sequence[Mapping[str, Any]]) -> None:
        """One transaction that writes `items` to DynamoDB and records this message's effect.

        Call it as the last thing the handler does: from then on the key is completed. It closes the window that is left
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

    def effect_in(self, connection: Any) -> EffectBlock:
        """The block in which the effect is written to PostgreSQL; its key is claimed in the same transaction.

        The claim is inserted when the block begins, and committed with the effect by the owner of the transaction,
        which is not this block: `with pool.connection() as connection, message.effect_in(connection):`. A duplicate
        does not enter the block: the handler ends there, the transaction is rolled back, the message acknowledged.

        Every handler of a worker with CLAIM_STORE=postgres enters it once, for all its effects.

        Args:
            connection: A connection of psycopg 3, of SQLAlchemy (or a Session), with `async with` one of psycopg's
                AsyncConnection or of asyncpg; of a transaction that somebody commits.

        Raises:
            TypeError: The worker has no claims in PostgreSQL, or the connection is none of these.
        """
        if self.effect is None:
            raise TypeError("message.effect_in works inside a worker only; see fargate_workers_runtime.testing.")
        return self.effect(connection)
