"""The loop: receive, check, claim, handle, settle. What each step promises is in the module of its name."""

import logging
import math
import queue as queues
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from fargate_workers_runtime.backoff import full_jitter, while_held
from fargate_workers_runtime.claims import Claims, fingerprint
from fargate_workers_runtime.credit import ask_for
from fargate_workers_runtime.errors import PoisonMessage, Retry
from fargate_workers_runtime.gate import Gate
from fargate_workers_runtime.health import Heartbeat
from fargate_workers_runtime.leases import Lease, Leases
from fargate_workers_runtime.logs import log_context
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.metrics import Metrics
from fargate_workers_runtime.protection import Protection
from fargate_workers_runtime.queue import LONGEST_VISIBILITY, Queue, Received
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.settling import LINGER, Settler
from fargate_workers_runtime.ticker import Ticker

_log = logging.getLogger(__name__)

Handler = Callable[[Message], None]

#: The longest pause between two receives while the queue does not answer, in seconds.
_RECEIVE_BACKOFF_CAP = 30.0


@dataclass(eq=False, kw_only=True)
class _Work:
    message: Message
    lease: Lease


class Worker:
    """Drains one queue through one handler, with `settings.concurrency` threads, until it is told to stop.

    Args:
        handle: Called with each message that may run. Returning ends the message; PoisonMessage, Retry and every other
            exception end it in their ways (errors.py).
        gate: Decides which messages may pass, and their keys.
        claims: Where effects are claimed. Default: none; each delivery runs.
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
        metrics: Metrics | None = None,
        protection: Protection | None = None,
    ) -> None:
        self._handle = handle
        self._gate = gate
        self._queue = queue
        self._settings = settings
        self._claims = claims
        self._metrics = metrics or Metrics(settings.worker_name)
        self._protection = protection
        self._health = Heartbeat(settings.health_file)
        # A poll that outlasted the drain would bring messages that nobody hands back, so it ends well within.
        self._poll_seconds = min(settings.receive_wait, max(1, settings.drain_seconds // 2))

        visibility = settings.visibility_timeout
        self._leases = Leases(queue, claims, visibility_timeout=visibility, on_overdue=self._overdue)
        self._settler = Settler(queue, self._leases, linger=min(LINGER, visibility / 6))
        self._tickers = [
            Ticker("heartbeat", seconds=visibility / 12, action=self._leases.beat),
            Ticker("metrics", seconds=60, action=self._metrics.flush),
        ]

        # SimpleQueue.put is safe in a signal handler; a lock there could wait for the very thread it interrupted.
        self._wake: queues.SimpleQueue[str] = queues.SimpleQueue()
        self._stopping = threading.Event()
        self._failed = False

        self._changed = threading.Condition()
        self._open = 0  # messages taken and not yet handled
        self._running = 0  # handlers at work
        self._groups: dict[str, deque[_Work]] = {}  # FIFO groups at work, and what waits in each
        self._inbox: queues.SimpleQueue[tuple[str | None, deque[_Work]] | None] = queues.SimpleQueue()

    def request_stop(self, why: str) -> None:
        """Ask for the shutdown; safe to call from a signal handler, and any number of times."""
        self._wake.put(why)

    def run(self, *, until_empty: bool = False) -> int:
        """Work until `request_stop` is called, or, with `until_empty`, until the queue shows no more messages.

        Returns the exit code.
        """
        threads = [
            threading.Thread(target=self._work, name=f"handler-{n}", daemon=True)
            for n in range(self._settings.concurrency)
        ]
        receiver = threading.Thread(target=self._receive, args=(until_empty,), name="receiver", daemon=True)
        self._settler.start()
        for ticker in self._tickers:
            ticker.start()
        if self._protection:
            self._protection.start()
        for thread in (*threads, receiver):
            thread.start()
        _log.info("started", extra={"fields": {"concurrency": self._settings.concurrency, "fifo": self._queue.fifo}})
        why = self._wake.get()
        return self._stop(why, receiver)

    def _stop(self, why: str, receiver: threading.Thread) -> int:
        """The shutdown, within the stop timeout; SIGKILL follows it."""
        deadline = time.monotonic() + self._settings.drain_seconds
        _log.info("stopping", extra={"fields": {"why": why}})

        # Nothing new begins, and what has not begun goes back at once: another task can have it now.
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._hand_back_unstarted()

        # An open poll is waited for, not cut: what it brings would stay hidden. Leases are kept while handlers go on.
        receiver.join(max(0.0, deadline - time.monotonic()))
        self._hand_back_unstarted()
        with self._changed:
            drained = self._changed.wait_for(lambda: self._open == 0, timeout=max(0.0, deadline - time.monotonic()))

        # What has not ended by now would be killed. Its claim and message are freed, so that nobody waits for them.
        if not drained:
            self._abandon_running()

        # Acknowledgements that wait for company are sent whatever happened before.
        self._settler.close()
        for ticker in self._tickers:
            ticker.stop()
        if self._protection:
            self._protection.stop()
        for _ in range(self._settings.concurrency):
            self._inbox.put(None)
        self._metrics.flush()
        _log.info("stopped", extra={"fields": {"drained": drained}})
        return 1 if self._failed else 0

    # Receiving

    def _receive(self, until_empty: bool) -> None:
        failures = 0
        try:
            while not self._stopping.is_set():
                limit = self._room()
                if limit == 0:
                    self._health.beat()
                    continue
                was_idle = self._open == 0
                try:
                    received = self._queue.receive(
                        limit, wait=self._poll_seconds, visibility=self._settings.visibility_timeout
                    )
                except Exception:
                    # No beat: when the queue has not answered for two minutes, ECS tries a fresh task.
                    failures += 1
                    _log.warning("receive_failed", exc_info=True, extra={"fields": {"failures": failures}})
                    self._stopping.wait(full_jitter(failures, base=1, cap=_RECEIVE_BACKOFF_CAP))
                    continue
                failures = 0
                self._health.beat()
                self._take(received)
                if until_empty and not received:
                    if was_idle:
                        self.request_stop("empty")
                        return
                    self._wait_until_idle()
        except Exception:
            _log.exception("receiver_failed")
            self._fail("receiver failed")

    def _room(self) -> int:
        """How many messages may be asked for; waits up to a second for room."""

        def room() -> int:
            return ask_for(
                held=self._open, concurrency=self._settings.concurrency, mean_seconds=self._metrics.mean_seconds
            )

        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or room() > 0, timeout=1)
            return 0 if self._stopping.is_set() else room()

    def _wait_until_idle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0 or self._stopping.is_set())

    def _take(self, received: list[Received]) -> None:
        for lease in self._leases.hold(received):
            if self._stopping.is_set():
                self._settler.back(lease, 0)
                continue
            try:
                message = self._gate.open(lease.received)
            except PoisonMessage as poison:
                self._bury(lease, poison)
            except Exception:
                # A fault of ours: one message must not end the process, which would only meet it again.
                _log.exception("gate_failed", extra={"fields": {"message_id": lease.received.id}})
                self._retry(lease, None)
            else:
                self._admit(_Work(message=message, lease=lease))

    def _admit(self, work: _Work) -> None:
        """Queue the work for a handler. A FIFO group is one line: each message begins when the one before has ended."""
        group = work.message.group_id if self._queue.fifo else None
        with self._changed:
            self._open += 1
            if group is not None and group in self._groups:
                self._groups[group].append(work)
                return
            line = deque([work])
            if group is not None:
                self._groups[group] = line
        self._inbox.put((group, line))

    def _hand_back_unstarted(self) -> None:
        while True:
            try:
                entry = self._inbox.get_nowait()
            except queues.Empty:
                return
            if entry is not None:
                self._work_off(*entry)

    # Handling

    def _work(self) -> None:
        while (entry := self._inbox.get()) is not None:
            self._work_off(*entry)

    def _work_off(self, group: str | None, line: deque[_Work]) -> None:
        """Handle a line in order; after a message that will come back, and when stopping, the rest goes back too."""
        in_order = True
        while True:
            with self._changed:
                if not line:
                    if group is not None:
                        del self._groups[group]
                    return
                work = line.popleft()
            try:
                if in_order and not self._stopping.is_set():
                    in_order = self._attempt(work)
                else:
                    self._settler.back(work.lease, 0)
            finally:
                with self._changed:
                    self._open -= 1
                    self._changed.notify_all()

    def _attempt(self, work: _Work) -> bool:
        """One message, from claim to settling. False if it will come back."""
        message, lease = work.message, work.lease
        self._count_running(+1)
        try:
            with log_context(message_id=message.id, receive_count=message.receive_count):
                claimed = self._claim(message, lease)
                return self._run(claimed, lease) if isinstance(claimed, Message) else claimed
        except (Exception, SystemExit):
            # The claims did not answer, or the fault is ours: either way the message is not acknowledged.
            _log.exception("attempt_failed", extra={"fields": {"message_id": message.id}})
            self._retry(lease, None)
            return False
        finally:
            self._count_running(-1)

    def _claim(self, message: Message, lease: Lease) -> Message | bool:
        """The message, if it may run; else whether the line may go on."""
        if self._claims is None:
            return message
        payload = fingerprint(message.body)
        claim = self._claims.claim(
            message.idempotency_key, owner=lease.owner, seconds=self._leases.seconds_left(lease), payload=payload
        )
        if claim.state == "granted":
            lease.claim_key = message.idempotency_key
            return replace(message, attempt=claim.attempt)
        if claim.state == "held":
            wait = while_held(
                claim.seconds_left, receive_count=message.receive_count, mean_seconds=self._metrics.mean_seconds
            )
            seconds = min(math.ceil(wait + random.uniform(0, 1)), LONGEST_VISIBILITY)  # noqa: S311
            _log.info("held_elsewhere", extra={"fields": {"seconds": seconds}})
            self._settler.back(lease, seconds)
            return False
        if claim.payload != payload:
            self._bury(lease, PoisonMessage("idempotency key reused", detail="the key is done, with another payload"))
            return True
        _log.info("duplicate")
        self._metrics.count("MessagesDuplicate")
        self._settler.done(lease)
        return True

    def _run(self, message: Message, lease: Lease) -> bool:
        limit = self._settings.max_processing
        lease.deadline = time.monotonic() + limit
        message = replace(message, deadline=datetime.now(UTC) + timedelta(seconds=limit))
        started = time.monotonic()
        try:
            with log_context(attempt=message.attempt):
                self._handle(message)
        except PoisonMessage as poison:
            self._release(lease)
            self._bury(lease, poison)
            return True
        except Retry as retry:
            _log.info("retry", extra={"fields": {"reason": retry.reason}})
            self._release(lease)
            self._retry(lease, retry.after)
            return False
        except (Exception, SystemExit):
            _log.exception("handler_failed")
            self._release(lease)
            self._retry(lease, None)
            return False
        finally:
            self._metrics.took(time.monotonic() - started)
            lease.deadline = None
        return self._finish(lease)

    def _finish(self, lease: Lease) -> bool:
        """Record the effect, then acknowledge: a crash between the two costs a delivery, not an effect."""
        if self._claims is not None and lease.claim_key is not None:
            ours = self._claims.complete(lease.claim_key, owner=lease.owner)
        else:
            ours = not lease.lost
        if not ours:
            # Another attempt has the message now; acknowledging it would take it away from that one.
            _log.warning("fenced")
            self._metrics.count("MessagesFailed")
            self._leases.forget(lease)
            return False
        _log.debug("handled")
        self._metrics.count("MessagesHandled")
        self._settler.done(lease)
        return True

    # Ending what was not done

    def _release(self, lease: Lease) -> None:
        if self._claims is not None and lease.claim_key is not None:
            self._claims.release(lease.claim_key, owner=lease.owner)
            lease.claim_key = None

    def _retry(self, lease: Lease, after: timedelta | None) -> None:
        self._metrics.count("MessagesFailed")
        seconds = full_jitter(lease.received.receive_count) if after is None else after.total_seconds()
        if not lease.lost:
            self._settler.back(lease, min(math.ceil(seconds), LONGEST_VISIBILITY))

    def _bury(self, lease: Lease, poison: PoisonMessage) -> None:
        fields = {"message_id": lease.received.id, "reason": poison.reason}
        _log.warning("poison", extra={"fields": fields})
        self._metrics.count("MessagesPoisoned")
        if self._queue.has_dead_letter_queue:
            self._settler.bury(lease, reason=poison.reason, detail=poison.detail)
        else:
            # The redrive policy, if there is one, gets it there after so many deliveries.
            self._settler.back(lease, math.ceil(full_jitter(lease.received.receive_count)))

    def _abandon_running(self) -> None:
        for lease in self._leases.held():
            if lease.deadline is not None:
                lease.lost = True
                _log.warning("abandoned", extra={"fields": {"message_id": lease.received.id}})
                try:
                    self._release(lease)
                except Exception:
                    _log.exception("release_failed")
                self._settler.back(lease, 0)

    def _overdue(self, lease: Lease) -> None:
        # A thread cannot be ended from outside. The others finish, the process ends, and ECS starts a fresh one.
        _log.error("handler_overdue", extra={"fields": {"message_id": lease.received.id}})
        self._fail("a handler is overdue")

    def _fail(self, why: str) -> None:
        self._failed = True
        self.request_stop(why)

    def _count_running(self, change: int) -> None:
        with self._changed:
            self._running += change
            busy = self._running > 0
        if self._protection:
            self._protection.set_busy(busy)
