"""The broker of a function: invocations bring their messages, and take along which of them failed.

Lambda receives the messages of a batch, and deletes those that its invocation does not report as failed. So an
acknowledgement takes no request. What fails is released at the queue itself, for its back-off, and reported; and dead
letters are sent as ever.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from fargate_workers_runtime.brokers.broker import Broker, Capabilities, DeadLetter, Delivery, Failure, Lag
from fargate_workers_runtime.brokers.function.invocation import Invocation

#: Requests for one dead letter that may fail: its invocation is paid for while it waits.
_LETTER_TRIES = 3

_ENDED = "InvocationEnded"


class InvocationBroker:
    """The messages that invocations of a function bring. Several may be under way at once.

    Args:
        queue: The queue that the messages are of: it releases them and keeps their dead letters.
    """

    def __init__(self, queue: Broker) -> None:
        self._queue = queue
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Invocation, Delivery]] = deque()
        self._invocations: list[Invocation] = []
        self._letters_failed: dict[str, int] = {}
        self._closed = False
        self._readers = 0
        self._capabilities = replace(queue.capabilities, renews_leases=False, waits_in_hand=False)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    # The side of the function

    def begin(self, deliveries: Sequence[Delivery], *, until: float) -> Invocation:
        """Begin an invocation: its messages can be received from now on, and are leased `until` then.

        Args:
            deliveries: The messages of its event.
            until: When their leases end, by the monotonic clock.
        """
        invocation = Invocation(deliveries, until=until, changed=self._changed)
        with self._changed:
            self._invocations.append(invocation)
            self._waiting.extend((invocation, replace(each, leased_until=until)) for each in deliveries)
            self._changed.notify_all()
        return invocation

    def withdraw(self, invocation: Invocation) -> list[Delivery]:
        """Take back the messages of `invocation` that nobody has received; the caller releases them."""
        with self._changed:
            mine = [each for owner, each in self._waiting if owner is invocation]
            self._waiting = deque(item for item in self._waiting if item[0] is not invocation)
            return mine

    def end(self, invocation: Invocation) -> list[str]:
        """End `invocation`; returns the ids of the messages that are to be reported as failed."""
        self.withdraw(invocation)
        with self._changed:
            self._invocations.remove(invocation)
            for each in invocation.failures:
                self._letters_failed.pop(each, None)
            return invocation.failures

    @property
    def is_read(self) -> bool:
        """Whether everything has been received, and its one receiver waits for more: it has passed on the rest."""
        with self._changed:
            return self._readers > 0 and not self._waiting

    # The side of the pipeline

    def receive(self, limit: int, *, wait: float, lease: int) -> list[Delivery]:  # noqa: ARG002  the event decides
        with self._changed:
            self._readers += 1
            self._changed.wait_for(lambda: self._closed or self._may_begin(1), wait)
            self._readers -= 1
            if self._closed:
                return []
            begun = self._may_begin(limit)
            for invocation, delivery in begun:
                self._waiting.remove((invocation, delivery))
                invocation.begin(delivery)
            return [delivery for _, delivery in begun]

    def extend(self, deliveries: Sequence[Delivery], seconds: int) -> list[Failure]:  # noqa: ARG002  none is extended
        """No lease outlasts its invocation."""
        return [Failure(index=index, permanent=True, code=_ENDED) for index in range(len(deliveries))]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> list[Failure]:
        with self._changed:
            return [
                Failure(index=index, permanent=True, code=_ENDED)
                for index, each in enumerate(deliveries)
                if not self._end(each, acknowledged=True)
            ]

    def release(self, releases: Sequence[tuple[Delivery, int]]) -> list[Failure]:
        with self._changed:
            open_ = [index for index, (each, _) in enumerate(releases) if self._is_open(each)]
        failures = [
            Failure(index=index, permanent=True, code=_ENDED) for index in range(len(releases)) if index not in open_
        ]
        try:
            if open_:
                refused = self._queue.release([releases[index] for index in open_])
                failures += [replace(each, index=open_[each.index], permanent=True) for each in refused]
        except Exception as error:
            # Reported all the same, it comes back when its visibility timeout ends. Another try would be waited for.
            failures += [Failure(index=index, permanent=True, code=type(error).__name__) for index in open_]
        with self._changed:
            rest = [each for index in open_ for each in self._rest_of(releases[index][0])]
            for index in open_:
                self._end(releases[index][0], acknowledged=False)
        if rest:  # as the pipeline releases what it has received of a group whose first failed
            self.release([(each, 0) for each in rest])
        return failures

    def dead_letter(self, letters: Sequence[DeadLetter]) -> list[Failure]:
        try:
            failures = self._queue.dead_letter(letters)
        except Exception as error:
            code = type(error).__name__
            failures = [Failure(index=index, permanent=False, code=code) for index in range(len(letters))]
        return [self._once_more(letters[each.index].delivery, each) for each in failures]

    def _once_more(self, delivery: Delivery, failure: Failure) -> Failure:
        """The failure of a letter: permanent in the end, and its message is then left to the queue's own count."""
        with self._changed:
            tries = self._letters_failed[delivery.id] = self._letters_failed.get(delivery.id, 0) + 1
            if failure.permanent or tries >= _LETTER_TRIES:
                for each in (*self._rest_of(delivery), delivery):
                    self._end(each, acknowledged=False)
                return replace(failure, permanent=True)
        return failure

    def lag(self) -> Lag | None:
        """Nothing is known of the queue, which Lambda polls."""
        return None

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._queue.close()

    # All below run while `_changed` is held. By the message's id: Lambda takes a report by it, whatever the receipt.

    def _may_begin(self, limit: int) -> list[tuple[Invocation, Delivery]]:
        """Of what waits, what may be received: nothing of a group of which something is at work, lest that fails."""
        found: list[tuple[Invocation, Delivery]] = []
        for invocation, delivery in self._waiting:
            if len(found) < limit and not invocation.is_at_work(delivery.group_id):
                found.append((invocation, delivery))
        return found

    def _rest_of(self, delivery: Delivery) -> list[Delivery]:
        """Take back what waits behind `delivery` in its group: its turn is not now."""
        rest = [
            (invocation, each)
            for invocation, each in self._waiting
            if each.group_id is not None and each.group_id == delivery.group_id and invocation.has(delivery.id)
        ]
        self._waiting = deque(item for item in self._waiting if item not in rest)
        return [each for _, each in rest]

    def _is_open(self, delivery: Delivery) -> bool:
        return any(each.has(delivery.id) for each in self._invocations)

    def _end(self, delivery: Delivery, *, acknowledged: bool) -> bool:
        """Note the end of a message, in each invocation that has it; False if none has, or it failed before."""
        ended = False
        for each in self._invocations:
            if each.has(delivery.id):
                each.end(delivery.id, acknowledged=acknowledged)
                ended = True
            elif acknowledged and each.is_acknowledged(delivery.id):
                ended = True
        if ended:
            self._changed.notify_all()
        return ended
