"""Claims, in memory."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_runtime.claims import CLOCK_SKEW, KEEP_SECONDS, Claim
from fargate_workers_runtime.transactions import COMPLETED_OTHERWISE, transaction_id


@dataclass(kw_only=True)
class _Item:
    owner: str
    leased_until: float
    forgotten_at: float
    payload: str
    attempts: int
    completed: bool = False
    transaction: str | None = None


class MemoryClaims:
    """Claims with the rules of `DynamoDbClaims`, in memory.

    Attributes:
        transactions: What was committed together with a completion, in order: the items of each transaction. They are
            recorded and not carried out; a condition in them is not evaluated.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._items: dict[str, _Item] = {}
        self.transactions: list[list[Mapping[str, Any]]] = []

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "") -> Claim:
        now = self._clock()
        with self._lock:
            item = self._items.get(key)
            lapsed = item is not None and not item.completed and item.leased_until < now - CLOCK_SKEW
            if item is None or item.forgotten_at < now or lapsed:
                attempts = item.attempts + 1 if item else 1
                self._items[key] = _Item(
                    owner=owner,
                    leased_until=now + seconds - CLOCK_SKEW,
                    forgotten_at=now + KEEP_SECONDS,
                    payload=payload,
                    attempts=attempts,
                )
                return Claim(state="granted", attempt=attempts, payload=payload)
            if item.completed:
                return Claim(state="completed", attempt=item.attempts, payload=item.payload)
            if item.owner == owner:
                return Claim(state="granted", attempt=item.attempts, payload=payload)
            seconds_left = max(0.0, item.leased_until + CLOCK_SKEW - now)
            return Claim(state="held", attempt=item.attempts, seconds_left=seconds_left, payload=item.payload)

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        with self._lock:
            if (item := self._running(key, owner)) is None:
                return False
            item.leased_until = self._clock() + seconds - CLOCK_SKEW
            return True

    def complete(self, key: str, *, owner: str) -> bool:
        with self._lock:
            item = self._items.get(key)
            if item is None or item.owner != owner:
                return False
            self._complete(item)
            return True

    def complete_with(self, key: str, *, owner: str, items: Sequence[Mapping[str, Any]]) -> bool:
        """Record `items` in `transactions` and complete `key`, as `DynamoDbClaims.complete_with` writes both."""
        transaction = transaction_id(items)
        with self._lock:
            item = self._items.get(key)
            if item is None or item.owner != owner:
                return False
            if not item.completed:
                self._complete(item)
                item.transaction = transaction
                self.transactions.append(list(items))
            elif item.transaction != transaction:
                raise ValueError(COMPLETED_OTHERWISE)
            return True

    def release(self, key: str, *, owner: str) -> None:
        with self._lock:
            if (item := self._running(key, owner)) is not None:
                item.leased_until = 0

    def check(self) -> None:
        """Memory always answers."""

    def _running(self, key: str, owner: str) -> _Item | None:
        item = self._items.get(key)
        return item if item and item.owner == owner and not item.completed else None

    def _complete(self, item: _Item) -> None:
        item.completed, item.forgotten_at = True, self._clock() + KEEP_SECONDS
