"""A worker that is fed with the events of invocations."""

import math
import threading
import time
from collections.abc import Callable, Sequence

from fargate_workers_runtime.brokers import Delivery
from fargate_workers_runtime.brokers.function import Invocation, InvocationBroker
from fargate_workers_runtime.pipeline import ENDING_SECONDS, full_jitter
from fargate_workers_runtime.worker import Worker

#: How often an invocation looks whether something other than an ending has become of its messages, in seconds.
_LOOK = 0.1

#: A handler that is cancelled at its deadline may end by itself for so long, in seconds.
_GRACE = 0.5

#: How long endings are waited for when all else is over, in seconds.
_LAST_WORDS = 1.0

#: A message that an outage sends away waits no longer than after so many failures: nothing is wrong with it.
_OUTAGE_FAILURES = 5


class FedWorker:
    """A worker in its threads, and the broker by which invocations feed it.

    Args:
        close: Called when it has ended. Default: nothing.

    Attributes:
        invocations: How many are under way; its owner counts them.
    """

    def __init__(self, worker: Worker, broker: InvocationBroker, *, close: Callable[[], object] | None = None) -> None:
        self._worker = worker
        self._broker = broker
        self._close = close
        self.invocations = 0
        self._thread = threading.Thread(target=worker.run, name="worker", daemon=True)
        self._thread.start()

    @property
    def usable(self) -> bool:
        """Whether it takes further invocations."""
        return self._thread.is_alive() and not self._worker.rests and not self._worker.stops

    @property
    def runs(self) -> bool:
        """Whether a handler is at work."""
        return self._worker.runs

    def handle(self, deliveries: Sequence[Delivery], *, until: float) -> list[str]:
        """Handle the messages of an invocation; returns the ids of those that are to be reported as failed.

        Args:
            deliveries: The messages.
            until: When their leases end, by the monotonic clock.
        """
        invocation = self._broker.begin(deliveries, until=until)
        try:
            self._wait(invocation, cut_at=until - ENDING_SECONDS + _GRACE)
        finally:
            failed = self._broker.end(invocation)
        return failed

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Release messages at once that nobody has begun."""
        invocation = self._broker.begin(deliveries, until=time.monotonic())
        self._release([(each, 0) for each in self._broker.withdraw(invocation)])
        self._broker.end(invocation)

    def retire(self) -> None:
        """End the worker; it takes no more."""
        self._worker.request_stop("retired")
        self._broker.close()
        self._thread.join(_LAST_WORDS)
        if self._close:
            self._close()

    def _wait(self, invocation: Invocation, *, cut_at: float) -> None:
        while not invocation.wait(min(_LOOK, max(0.0, cut_at - time.monotonic()))):
            if time.monotonic() >= cut_at:
                self._release([(each, 0) for each in self._broker.withdraw(invocation)])
                self._worker.cut(invocation.open, seconds=max(0.0, invocation.until - time.monotonic()))
                return
            receives = not self._worker.rests and not self._worker.stops
            if not receives:
                self._release([(each, _pause(each)) for each in self._broker.withdraw(invocation)])
            # Lost to another, or given up: no ending comes for them any more.
            read = self._broker.is_read or not receives
            if read and self._worker.has_ended(invocation.open, seconds=_LAST_WORDS):
                return

    def _release(self, releases: Sequence[tuple[Delivery, int]]) -> None:
        size = self._broker.capabilities.largest_batch
        for start in range(0, len(releases), size):
            self._broker.release(releases[start : start + size])


def _pause(delivery: Delivery) -> int:
    return math.ceil(full_jitter(min(delivery.receive_count, _OUTAGE_FAILURES)))
