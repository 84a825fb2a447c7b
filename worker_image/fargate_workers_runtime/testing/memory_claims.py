"""Claims, in memory."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fargate_workers_runtime.claims import (
    CLOCK_SKEW,
    COMPLETED_OTHERWISE,
    KEEP_SECONDS,
    Claim,
    Counts,
    most_tried,
    transaction_id,
)


@dataclass(kw_only=True)
class _Item:
    owner: str
    leased_until: float
    forgotten_at: float
    payload: str | None  # not known of a key that was forgotten while it was claimed
    attempts: int
    message_id: str = ""
    of_messages: dict[str, Counts] = field(default_factory=dict[str, Counts])
    completed: bool = False
    transaction: str | None = None

    def first(self, payload: str) -> str:
        """The payload that the key was first claimed with; `payload` if that is not known."""
        return payload if self.payload is None else self.payload


class MemoryClaims:
    """Claims with the rules of `DynamoDbClaims`, in memory.

    Args:
        clock: Seconds since the epoch. Default: the real time; a test advances a `Clock`.

    Attributes:
        transactions: What was committed together with a completion, in order: the items of each transaction. They are
            recorded and not carried out; a condition in them is not evaluated.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._items: dict[str, _Item] = {}
        self.transactions: list[list[Mapping[str, Any]]] = []

    @property
    def owners(self) -> Mapping[str, str]:
        """The owner of each key, its last one if nobody has it now."""
        with self._lock:
            return {key: item.owner for key, item in self._items.items()}

    def forget(self) -> None:
        """Lose every key, as a store without persistence does when it restarts."""
        with self._lock:
            self._items.clear()

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "", message_id: str = "") -> Claim:
        """A lease on `key`, if it is free; it counts an attempt at the key, and of its message.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            seconds: The length of the lease, from now.
            payload: The fingerprint of the message's payload. Default: none.
            message_id: The message whose attempts are counted. Default: none.
        """
        now = self._clock()
        with self._lock:
            item = self._items.get(key)
            lapsed = item is not None and not item.completed and item.leased_until < now - CLOCK_SKEW
            if item is None or item.forgotten_at < now or lapsed:
                attempts = item.attempts + 1 if item else 1
                counts = dict(item.of_messages) if item else {}
                of_message, unanswered = counts.pop(message_id, (0, 0))
                self._items[key] = _Item(
                    owner=owner,
                    leased_until=now + seconds - CLOCK_SKEW,
                    forgotten_at=now + KEEP_SECONDS,
                    payload=payload,
                    attempts=attempts,
                    message_id=message_id,
                    of_messages={**most_tried(counts), message_id: (of_message + 1, unanswered + 1)},
                )
                return self._granted(self._items[key], payload)
            if item.completed:
                return Claim(state="completed", attempt=item.attempts, payload=item.first(payload))
            if item.owner == owner:
                return self._granted(item, payload)
            seconds_left = max(0.0, item.leased_until + CLOCK_SKEW - now)
            return Claim(state="held", attempt=item.attempts, seconds_left=seconds_left, payload=item.first(payload))

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        """A new lease on `key`; False if another owner has it.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            seconds: The length of the new lease, from now.
        """
        with self._lock:
            item = self._mine(key, owner)
            if item is None:
                return False
            if not item.completed:
                item.leased_until = self._clock() + seconds - CLOCK_SKEW
            return True

    def complete(self, key: str, *, owner: str) -> bool:
        """The record of the effect; False if another owner has the key.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
        """
        with self._lock:
            if (item := self._mine(key, owner)) is None:
                return False
            self._complete(item)
            return True

    def complete_with(self, key: str, *, owner: str, items: Sequence[Mapping[str, Any]]) -> bool:
        """A transaction, recorded in `transactions` together with the effect; False if another owner has the key.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            items: At most 99 entries of DynamoDB's TransactWriteItems.

        Raises:
            ValueError: The attempt has completed the key with another transaction, or with none.
        """
        transaction = transaction_id(items)
        with self._lock:
            if (item := self._mine(key, owner)) is None:
                return False
            if not item.completed:
                self._complete(item)
                item.transaction = transaction
                self.transactions.append(list(items))
            elif item.transaction != transaction:
                raise ValueError(COMPLETED_OTHERWISE)
            return True

    def release(self, key: str, *, owner: str, begun: bool = True) -> None:
        """The end of the lease: the next attempt can claim `key` at once.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            begun: The handler was called. Otherwise this counts as no attempt. Default: True.
        """
        with self._lock:
            item = self._items.get(key)
            if item and item.owner == owner and not item.completed and item.leased_until:
                item.leased_until = 0
                of_message, unanswered = item.of_messages.get(item.message_id, (1, 1))
                item.of_messages[item.message_id] = (of_message - (not begun), unanswered - 1)
                item.attempts -= not begun

    def check(self) -> None:
        """A call without effect: memory always answers."""

    @staticmethod
    def _granted(item: _Item, payload: str) -> Claim:
        of_message, unanswered = item.of_messages.get(item.message_id, (1, 1))
        return Claim(
            state="granted",
            attempt=item.attempts,
            of_message=of_message,
            unanswered=unanswered - 1,
            payload=payload,
        )

    def _mine(self, key: str, owner: str) -> _Item | None:
        """The item, if it belongs to the owner or is forgotten."""
        new = _Item(owner=owner, leased_until=0, forgotten_at=self._clock() + KEEP_SECONDS, payload=None, attempts=1)
        item = self._items.setdefault(key, new)
        return item if item.owner == owner else None

    def _complete(self, item: _Item) -> None:
        item.completed, item.forgotten_at = True, self._clock() + KEEP_SECONDS
