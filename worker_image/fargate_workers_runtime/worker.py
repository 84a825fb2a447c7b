"""The worker: receive, check, claim, handle, settle. What each step promises is in the module of its name."""

import logging
import threading
import time
from collections.abc import Sequence

from fargate_workers_runtime.asynchronous import Handler, synchronous
from fargate_workers_runtime.attempts import Attempts
from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.credit import ask_for
from fargate_workers_runtime.errors import PoisonMessage
from fargate_workers_runtime.gate import Gate
from fargate_workers_runtime.inbox import Inbox, Line, Work
from fargate_workers_runtime.leases import Lease, Leases
from fargate_workers_runtime.limiter import Limiter
from fargate_workers_runtime.metrics import Metrics
from fargate_workers_runtime.outage import Outage
from fargate_workers_runtime.protection import Protection
from fargate_workers_runtime.queue import Queue, Received
from fargate_workers_runtime.receiving import Receivers
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.settling import LINGER, Settler
from fargate_workers_runtime.stop_request import StopRequest
from fargate_workers_runtime.ticker import Ticker

_log = logging.getLogger(__name__)


class Worker:
    """Drains one queue through one handler, with `settings.concurrency` threads, until it is told to stop.

    Args:
        handle: Called with each message that may run. Returning ends the message; PoisonMessage, Retry and every other
            exception end it in their ways (errors.py). A coroutine function runs on an event loop.
        gate: Decides which messages may pass, and their keys.
        claims: Where effects are claimed. Default: none; each delivery runs.
        limiter: How many handlers may begin per second, in all tasks together. Default: no limit.
        protection: Keeps ECS from stopping a busy task. Default: none.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        gate: Gate,
        queue: Queue,
        settings: Settings,
        claims: Claims | None = None,
        limiter: Limiter | None = None,
        metrics: Metrics | None = None,
        protection: Protection | None = None,
    ) -> None:
        self._gate = gate
        self._queue = queue
        self._settings = settings
        self._limiter = limiter
        self._metrics = metrics or Metrics(settings.worker_name)
        self._protection = protection

        self._stop_request = StopRequest()
        self._stopping = threading.Event()
        self._failed = False
        self._outage = Outage()

        visibility = settings.visibility_timeout
        self._inbox = Inbox(fifo=queue.fifo, ask_for=self._ask_for)
        self._leases = Leases(queue, claims, visibility_timeout=visibility, on_overdue=self._overdue)
        self._settler = Settler(queue, self._leases, linger=min(LINGER[settings.pacing], visibility / 6))
        self._attempts = Attempts(
            synchronous(handle, seconds=settings.max_processing),
            settings=settings,
            claims=claims,
            limiter=limiter,
            leases=self._leases,
            settler=self._settler,
            metrics=self._metrics,
            outage=self._outage,
            stopping=self._stopping,
        )
        self._tickers = [
            Ticker("heartbeat", seconds=visibility / 12, action=self._leases.beat),
            Ticker("metrics", seconds=settings.metrics_interval, action=self._metrics.flush),
        ]
        self._at_work = threading.Lock()
        self._running = 0  # handlers at work
        self._begun = 0  # messages that handlers have begun

    def request_stop(self, why: str) -> None:
        """Ask for the shutdown; safe to call from a signal handler, and any number of times."""
        self._stop_request.make(why)

    def run(self, *, until_empty: bool = False) -> int:
        """Work until `request_stop` is called, or, with `until_empty`, until the queue shows no more messages.

        Returns the exit code.
        """
        receivers = Receivers(
            self._queue,
            self._inbox,
            settings=self._settings,
            outage=self._outage,
            take=self._take,
            on_failure=lambda: self._fail("a receiver failed"),
            on_empty=(lambda: self.request_stop("empty")) if until_empty else None,
        )
        self._settler.start()
        for ticker in self._tickers:
            ticker.start()
        if self._protection:
            self._protection.start()
        for number in range(self._settings.concurrency):
            threading.Thread(target=self._work, name=f"handler-{number}", daemon=True).start()
        receivers.start()
        _log.info("started", extra={"fields": {"concurrency": self._settings.concurrency, "fifo": self._queue.fifo}})
        return self._stop(self._stop_request.wait(), receivers)

    def _stop(self, why: str, receivers: Receivers) -> int:
        """The shutdown, within the stop timeout; SIGKILL follows it."""
        deadline = time.monotonic() + self._settings.drain_seconds
        _log.info("stopping", extra={"fields": {"why": why}})

        def seconds_left() -> float:
            return max(0.0, deadline - time.monotonic())

        # Nothing new begins, and what has not begun goes back at once: another task can have it now.
        self._stopping.set()
        receivers.stop()
        self._inbox.close()
        self._settler.hurry()
        self._hand_back_unstarted()

        # Leases are kept while open polls are waited for and handlers go on.
        receivers.join(seconds_left)
        self._hand_back_unstarted()
        drained = self._inbox.wait_until_empty(seconds_left())

        # What has not ended by now would be killed. Its claim and message are freed, so that nobody waits for them.
        if not drained:
            for lease in self._leases.held():
                if lease.deadline is not None:
                    self._attempts.abandon(lease)

        # Acknowledgements that wait for company are sent whatever happened before.
        self._settler.close()
        for ticker in self._tickers:
            ticker.stop()
        if self._protection:
            self._protection.stop()
        if self._limiter:
            self._limiter.close()
        self._inbox.dismiss(self._settings.concurrency)
        self._metrics.flush()
        _log.info("stopped", extra={"fields": {"drained": drained}})
        return 1 if self._failed else 0

    def _ask_for(self, held: int) -> int:
        if self._outage.lasts or self._stopping.is_set():
            return 0
        return ask_for(
            held,
            concurrency=self._settings.concurrency,
            mean_seconds=self._metrics.mean_seconds,
            per_second=self._metrics.rate,
            visibility=self._settings.visibility_timeout,
        )

    def _take(self, received: Sequence[Received]) -> None:
        """Through the gate with what a poll brought."""
        for lease in self._leases.hold(received):
            if self._stopping.is_set():
                self._settler.back(lease, 0)
                continue
            try:
                message = self._gate.open(lease.received)
            except PoisonMessage as poison:
                self._attempts.bury(lease, poison)
            except Exception as error:
                # A fault of ours: one message must not end the process, which would only meet it again.
                _log.exception("gate_failed", extra={"fields": {"message_id": lease.received.id}})
                self._attempts.retry(lease, error)
            else:
                if message is None:  # an announcement that asks for nothing
                    self._settler.done(lease)
                else:
                    self._inbox.put(Work(message=message, lease=lease))

    def _work(self) -> None:
        """A handler's thread."""
        while (line := self._inbox.next_line()) is not None:
            self._work_off(line)

    def _work_off(self, line: Line) -> None:
        """Handle a line in order; after a message that will come back, and when stopping, the rest goes back too."""
        in_order = True
        while (work := self._inbox.next_in(line)) is not None:
            try:
                if not in_order or self._stopping.is_set():
                    self._settler.back(work.lease, 0)
                elif self._outage.lasts:
                    in_order = self._attempts.postpone(work.lease)
                else:
                    in_order = self._attempt(work)
            finally:
                self._inbox.end()

    def _attempt(self, work: Work) -> bool:
        self._count_running(+1)
        try:
            return self._attempts.attempt(work)
        finally:
            self._count_running(-1)

    def _count_running(self, change: int) -> None:
        with self._at_work:
            self._running += change
            self._begun += change > 0
            busy, recycle = self._running > 0, self._begun == self._settings.max_messages
        if self._protection:
            self._protection.set_busy(busy)
        if recycle and change > 0:
            self._stopping.set()  # nothing more begins, also before the shutdown does
            self.request_stop("recycled")

    def _hand_back_unstarted(self) -> None:
        while (line := self._inbox.waiting_line()) is not None:
            self._work_off(line)

    def _overdue(self, lease: Lease) -> None:
        # A thread cannot be ended from outside. The others finish, the process ends, and a fresh one starts.
        _log.error("handler_overdue", extra={"fields": {"message_id": lease.received.id}})
        self._fail("a handler is overdue")

    def _fail(self, why: str) -> None:
        self._failed = True
        self.request_stop(why)
