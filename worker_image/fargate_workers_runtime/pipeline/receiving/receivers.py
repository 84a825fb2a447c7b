"""Receiving: long polls, as many as pay, and no message asked for that could not begin soon."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from fargate_workers_runtime.brokers import Broker, Delivery
from fargate_workers_runtime.health import Heartbeat
from fargate_workers_runtime.pipeline.backoff import full_jitter
from fargate_workers_runtime.pipeline.inbox import Inbox
from fargate_workers_runtime.pipeline.outage import Outage
from fargate_workers_runtime.pipeline.receiving.credit import polls
from fargate_workers_runtime.pipeline.receiving.standstill import Standstill
from fargate_workers_runtime.settings import Settings

_log = logging.getLogger(__name__)

#: How long messages may gather after a poll that brought less than it asked for, in seconds. Economy trades this much
#: latency for half of a trickle's requests.
PACE = {"latency": 0.0, "economy": 1.0}

#: The longest pause between two receives while the queue does not answer, in seconds.
_BACKOFF_CAP = 30.0


class Receivers:
    """Threads that poll the broker. The first always does; the others join while polls bring full batches.

    Args:
        take: Called with what a poll brought.
        on_empty: Called when a poll brings nothing while nothing is held. Default: poll on.
        on_failure: Called when a receiver ends by an internal error.
    """

    def __init__(
        self,
        broker: Broker,
        inbox: Inbox,
        *,
        settings: Settings,
        outage: Outage,
        standstill: Standstill,
        take: Callable[[Sequence[Delivery]], None],
        on_failure: Callable[[], None],
        on_empty: Callable[[], None] | None = None,
    ) -> None:
        self._broker = broker
        self._inbox = inbox
        self._settings = settings
        self._outage = outage
        self._standstill = standstill
        self._take = take
        self._on_failure = on_failure
        self._on_empty = on_empty
        self._health = Heartbeat(settings.health_file)
        self._pace = PACE[settings.pacing]
        # A poll that outlasted the drain would bring messages that are never released, so it ends well within.
        self._wait = min(settings.receive_wait, max(1, settings.drain_seconds // 2))
        self._largest_batch = broker.capabilities.largest_batch
        # A run until the queue is empty must know that no other poll is open.
        self._most = 1 if on_empty or broker.capabilities.one_reader else settings.receivers
        self._polls = 1
        self._failures = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._receive, args=(number,), name=f"receiver-{number}", daemon=True)
            for number in range(self._most)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no more polls."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()

    def join(self, seconds_left: Callable[[], float]) -> None:
        """Wait for open polls to end by their answers: what a poll that is cut would have brought stays hidden.

        https://github.com/celery/kombu/issues/1819
        """
        for thread in self._threads:
            thread.join(seconds_left())

    def _receive(self, number: int) -> None:
        try:
            while self._wait_for_turn(number):
                self._poll()
        except BaseException:
            _log.exception("receiver_failed")
            self._on_failure()

    def _wait_for_turn(self, number: int) -> bool:
        """Wait until this receiver is wanted; False when stopping."""
        if number == 0 and self._outage.lasts:
            # No beat: a store that stays away for two minutes turns the health red.
            self._outage.outlast(self._stopping)
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or number < self._polls)
        return not self._stopping.is_set()

    def _poll(self) -> None:
        reserved = self._inbox.reserve(seconds=1)
        if reserved == 0:
            if not self._outage.lasts:
                self._health.beat()
            return
        idle = self._inbox.taken == 0
        try:
            received = self._ask(reserved)
            if received is None:
                return
            self._take(received)
        finally:
            self._inbox.end_reservation(reserved)
        self._adapt(reserved, len(received))
        if not received and self._on_empty:
            self._look_again(idle, self._on_empty)
        elif 0 < len(received) < reserved and self._pace:
            self._stopping.wait(self._pace)

    def _ask(self, limit: int) -> list[Delivery] | None:
        """What the queue gives; None, after a pause that grows, when it does not answer."""
        try:
            before = self._standstill.seconds
            received = self._broker.receive(limit, wait=self._wait, lease=self._settings.lease)
            stood_still = self._standstill.seconds - before
        except Exception:
            # The health file is not touched: when the queue has not answered for two minutes, ECS tries a fresh task.
            self._failures += 1
            _log.warning("receive_failed", exc_info=True, extra={"fields": {"failures": self._failures}})
            self._set_polls(1)
            self._stopping.wait(full_jitter(self._failures, base=1, cap=_BACKOFF_CAP))
            return None
        self._failures = 0
        self._health.beat()
        if stood_still:  # the answer may have waited for us all the while, and its messages are hidden for less
            return [replace(each, stood_still=stood_still) for each in received]
        return received

    def _look_again(self, idle: bool, on_empty: Callable[[], None]) -> None:
        """The queue showed nothing: what was held meanwhile may come back, so only an idle worker believes it."""
        if idle:
            on_empty()
            self._stopping.wait()
        while not self._stopping.is_set() and not self._inbox.wait_until_empty(0.5):
            pass

    def _adapt(self, asked: int, received: int) -> None:
        starving = self._inbox.wanting < self._settings.concurrency
        self._set_polls(
            polls(
                self._polls,
                asked=asked,
                received=received,
                most=self._most,
                starving=starving,
                largest_batch=self._largest_batch,
            )
        )

    def _set_polls(self, number: int) -> None:
        with self._changed:
            if number != self._polls:
                self._polls = number
                self._changed.notify_all()
