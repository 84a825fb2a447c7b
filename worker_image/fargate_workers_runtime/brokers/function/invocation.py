"""One invocation: the messages of its event, and which of them have been acknowledged."""

import threading
from collections.abc import Collection, Sequence

from fargate_workers_runtime.brokers.broker import Delivery


class Invocation:
    """The messages of one event, each open until it ends in some way.

    Args:
        deliveries: The messages.
        until: When their leases end, by the monotonic clock: no later than the invocation.
        changed: The condition of the broker, held during every change.
    """

    def __init__(self, deliveries: Sequence[Delivery], *, until: float, changed: threading.Condition) -> None:
        self.until = until
        self._changed = changed
        self._ids = [each.id for each in deliveries]
        self._open = set(self._ids)
        self._acknowledged: set[str] = set()
        self._begun: dict[str, list[str]] = {}  # by group

    @property
    def open(self) -> Collection[str]:
        """The ids of the messages that have not ended."""
        with self._changed:
            return frozenset(self._open)

    @property
    def failures(self) -> list[str]:
        """The ids of the messages that are not acknowledged, in the order of the event."""
        with self._changed:
            return [each for each in self._ids if each not in self._acknowledged]

    def wait(self, seconds: float) -> bool:
        """Wait until each message has ended; False if one has not after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, seconds)

    # Called by the broker, which holds the condition.

    def begin(self, delivery: Delivery) -> None:
        if delivery.group_id is not None:
            self._begun.setdefault(delivery.group_id, []).append(delivery.id)

    def is_at_work(self, group_id: str | None) -> bool:
        return group_id is not None and any(each in self._open for each in self._begun.get(group_id, ()))

    def has(self, message_id: str) -> bool:
        return message_id in self._open

    def is_acknowledged(self, message_id: str) -> bool:
        return message_id in self._acknowledged

    def end(self, message_id: str, *, acknowledged: bool) -> None:
        self._open.discard(message_id)
        if acknowledged:
            self._acknowledged.add(message_id)
