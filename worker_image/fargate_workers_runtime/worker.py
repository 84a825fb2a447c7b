"""The worker: receive, check, claim, handle, settle. Each step's promise is in the module of its name."""

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from fargate_workers_runtime.brokers import AttemptCounter, Broker, Delivery
from fargate_workers_runtime.claims import Claims, Effects
from fargate_workers_runtime.errors import HandlerRefused, PoisonMessage
from fargate_workers_runtime.handlers import Gate, Handler, Steps, finish, synchronous
from fargate_workers_runtime.pipeline import HandlerThreads, Inbox, InHand, Lease, Leases, Line, Outage, Work
from fargate_workers_runtime.pipeline.attempting import Attempts, Isolation, Memory, Turns
from fargate_workers_runtime.pipeline.receiving import (
    LONG_HANDLER_SECONDS,
    MOST_IN_HAND,
    PERIOD,
    Receivers,
    Standstill,
    ask_for,
)
from fargate_workers_runtime.pipeline.settling import LINGER, Again, Letter, Outcome, Releases, Settler
from fargate_workers_runtime.process import EXIT_FAILED, EXIT_WRONG, Protection, StopRequest, Ticker
from fargate_workers_runtime.redis import Limiter
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import Metrics

_log = logging.getLogger(__name__)

#: The time that a handler which is given up still has to record its effect, and the settler to send it, in seconds.
_LAST_WORDS = 1.0

#: Between the last request to the broker and SIGKILL, in seconds.
_EXIT_SECONDS = 5.0


class Worker:
    """The loop that drains one broker through one handler, `settings.concurrency` at once, until it is stopped.

    Args:
        handle: Called with each message that may run. Returning ends the message; PoisonMessage, Retry and every other
            exception end it in their ways (errors.py). A coroutine function runs on an event loop.
        gate: Decides which messages may pass, and their keys.
        claims: Where effects are claimed. Default: none; each delivery runs.
        limiter: How many handlers may begin per second, in all tasks together. Default: no limit.
        protection: Keeps ECS from stopping the task while a handler runs that would outlive the stop. Default: none.
        effects: Where handlers claim their keys themselves, with `message.effect_in`. Default: nowhere.
        tickers: What else runs while the worker does. Default: nothing.
        linger: Seconds for which an ending waits for others. Default: by the pacing in `settings`.
    """

    def __init__(
        self,
        handle: Handler,
        *,
        gate: Gate,
        broker: Broker,
        settings: Settings,
        claims: Claims | None = None,
        limiter: Limiter | None = None,
        metrics: Metrics | None = None,
        protection: Protection | None = None,
        effects: Effects | None = None,
        tickers: Sequence[Ticker] = (),
        linger: float | None = None,
    ) -> None:
        self._gate = gate
        self._broker = broker
        self._ordered = broker.capabilities.orders_groups
        self._waits_in_hand = broker.capabilities.waits_in_hand
        if not broker.capabilities.counts_deliveries:
            settings = replace(settings, max_receive_count=0)
        self._settings = settings
        self._limiter = limiter
        self._metrics = metrics or Metrics(settings.worker_name)
        self._protection = protection
        self._effects = effects

        self._stop_request = StopRequest()
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._failed = 0  # the exit code, once something has
        self._until_empty = False
        self.slow_for: float = 0.0  # seconds for which all handlers have been at one message
        self._outage = Outage()
        self._standstill = Standstill()
        self._memory = Memory()

        lease = settings.lease
        self._inbox = Inbox(ordered=self._ordered, ask_for=self.wants, slots=settings.concurrency)
        self._leases = Leases(broker, claims, seconds=lease, on_overdue=self._overdue)
        self._settler = Settler(
            broker,
            self._leases,
            linger=min(LINGER[settings.pacing] if linger is None else linger, lease / 6),
            on_given_up=lambda: self._metrics.count("OutcomesGivenUp"),
        )
        self._in_hand = InHand(
            self._inbox,
            self._leases,
            most=MOST_IN_HAND * settings.concurrency,
            longest_run=settings.max_processing,
        )
        self._isolation = Isolation(most=4 * settings.concurrency, seconds=lease, crowded=lambda: self._inbox.unbegun)
        self._releases = Releases(claims) if claims else None
        call = synchronous(handle, seconds=settings.max_processing, around=protection.running if protection else None)
        self._attempts = Attempts(
            call,
            ordered=self._ordered,
            settings=settings,
            claims=claims,
            releases=self._releases,
            limiter=limiter,
            leases=self._leases,
            metrics=self._metrics,
            outage=self._outage,
            memory=self._memory,
            stopping=self._stopping,
            over=self._over,
            on_refused=self._refuse,
            effects=effects,
            counter=broker if isinstance(broker, AttemptCounter) else None,
        )
        self._turns = Turns(
            attempt=self._attempt,
            reopen=self._open,
            release_ready=partial(self._release_ready, unless=self._has_few_deliveries),
            begins_nothing=self._begins_nothing,
            attempts=self._attempts,
            isolation=self._isolation,
            inbox=self._inbox,
            settler=self._settler,
            outage=self._outage,
            memory=self._memory,
            lease=lease,
            stopping=self._stopping,
            over=self._over,
        )
        self._threads = HandlerThreads(
            self._inbox,
            begin=self._turns.take,
            carry_out=self._carry_out,
            failed=self._lose,
            most=settings.concurrency,
            asynchronous=call.asynchronous,
        )
        self._tickers = [
            Ticker("heartbeat", seconds=lease / 12, action=self._leases.beat),
            Ticker("standstill", seconds=PERIOD, action=self._standstill.tick),
            Ticker("metrics", seconds=settings.metrics_interval, action=self._metrics.flush),
            Ticker("fetched-ahead", seconds=1, action=self.look_at_slow_handlers),
            Ticker("handler-threads", seconds=1, action=self._threads.look),
            *tickers,
        ]
        if self._releases:
            self._tickers += [
                Ticker("claims", seconds=lease / 12, action=self._leases.renew_claims),
                Ticker("releases", seconds=lease / 12, action=self._releases.beat),
            ]
        self._running: set[Work] = set()  # what handlers are at; add, discard and copy are one step each
        self._begun = itertools.count(1)  # messages that handlers have begun, if they are limited

    @property
    def inbox(self) -> Inbox:
        """The messages that wait for a handler, or have one."""
        return self._inbox

    @property
    def leases(self) -> Leases:
        """The leases of the messages that the worker has."""
        return self._leases

    @property
    def stopping(self) -> threading.Event:
        """Set as soon as the shutdown has begun: nothing more is handled."""
        return self._stopping

    def request_stop(self, why: str) -> None:
        """Ask for the shutdown; safe to call from a signal handler, and any number of times."""
        self._stop_request.make(why)

    def run(self, *, until_empty: bool = False) -> int:
        """Work until `request_stop` is called, or, with `until_empty`, until the queue shows no more messages.

        Returns the exit code.
        """
        self._until_empty = until_empty
        self._look_at_effects()
        if until_empty:  # one run after the other: a look at the first alone would find the rest of its group locked
            self._isolation.started()
        receivers = Receivers(
            self._broker,
            self._inbox,
            settings=self._settings,
            outage=self._outage,
            standstill=self._standstill,
            take=self._take,
            on_failure=lambda: self._fail("a receiver failed"),
            on_empty=(lambda: self.request_stop("empty")) if until_empty else None,
        )
        self._settler.start()
        for ticker in self._tickers:
            ticker.start()
        if self._protection:
            self._protection.start()
        self._threads.start()
        receivers.start()
        _log.info("started", extra={"fields": {"concurrency": self._settings.concurrency, "fifo": self._ordered}})
        return self._stop(self._stop_request.wait(), receivers)

    def _look_at_effects(self) -> None:
        """Begin with an outage if the database does not answer: nothing is received that could not be handled."""
        if self._effects is None:
            return
        try:
            self._effects.check()
        except Exception:
            _log.warning("database_unavailable", exc_info=True)
            self._outage.begin(self._effects.check)

    @property
    def rests(self) -> bool:
        """Whether a store that it needs does not work, so that it receives nothing."""
        return self._outage.lasts

    @property
    def stops(self) -> bool:
        """Whether it ends, or has ended."""
        return self._stop_request.made or self._stopping.is_set()

    @property
    def runs(self) -> bool:
        """Whether a handler is at work."""
        return bool(self._running)

    def has_ended(self, message_ids: Collection[str], *, seconds: float) -> bool:
        """Whether the work on messages that it has received has ended; what is to be sent is, within `seconds`."""
        works = [work.lease for work in self._running.copy()]
        if any(lease.delivery.id in message_ids for lease in [*works, *self._leases.held()]):
            return False
        self._settler.flush(seconds)
        return True

    def cut(self, message_ids: Collection[str], *, seconds: float) -> None:
        """End the work on some messages now, because their leases end: it is released, and sent within `seconds`.

        A handler that has had all its time has failed; one that has not is given up and may begin anew elsewhere.
        """

        def stays(work: Work) -> bool:
            return work.lease.delivery.id not in message_ids

        for work, _ in self._inbox.take_back_all(unless=stays):
            self._release(work.lease, Again(seconds=0, error=work.error))
            self._end(work)
        now = time.monotonic()
        for lease in self._leases.held():
            began_at = lease.began_at  # looked at once: the handler may end at any moment
            if lease.delivery.id in message_ids and began_at is not None:
                self._cut_handler(lease, now - began_at)
        self._settler.flush(seconds)

    def _cut_handler(self, lease: Lease, ran: float) -> None:
        if ran >= self._settings.max_processing:
            outcome = self._attempts.retry(lease, TimeoutError(f"the handler ran for {ran:.0f} s"))
        else:
            self._attempts.abandon(lease)
            outcome = Again(seconds=0)
        lease.lost = True
        if isinstance(outcome, Again):
            self._release(lease, outcome)
        else:
            self._settler.carry_out(lease, outcome)
        self._overdue(lease)

    def _stop(self, why: str, receivers: Receivers) -> int:
        """The shutdown, within the stop timeout; SIGKILL follows it."""
        began = time.monotonic()
        deadline = began + self._settings.drain_seconds
        _log.info("stopping", extra={"fields": {"why": why}})

        def seconds_left() -> float:
            return max(0.0, deadline - time.monotonic())

        # Nothing new begins, and what has not begun is released at once: another task can have it now.
        self._stopping.set()
        receivers.stop()
        self._isolation.stop()
        self._inbox.close()
        self._in_hand.stop()
        self._settler.send_at_once()
        self._release_unbegun(unless=self._is_last_delivery)

        # Leases are kept while open polls are waited for and handlers go on.
        receivers.join(seconds_left)
        self._release_unbegun(unless=self._is_last_delivery)
        drained = self._inbox.wait_until_empty(seconds_left())
        self._release_unbegun(unless=lambda _work: False)

        # What has not ended by now would be killed. Its claim and message are released, so that no worker waits for it.
        self._over.set()
        if not drained:
            self._inbox.wait_until_empty(_LAST_WORDS)
            for lease in self._leases.held():
                if lease.deadline is not None:
                    self._attempts.abandon(lease)
                    self._settler.release(lease, 0)

        # What the broker has not taken is sent until SIGKILL is near, whatever happened before.
        last_releases = self._begin_last_releases()
        self._settler.close(max(_LAST_WORDS, began + self._settings.stop_timeout - _EXIT_SECONDS - time.monotonic()))
        if last_releases:
            last_releases.join(_LAST_WORDS)
        for ticker in self._tickers:
            ticker.stop()
        if self._protection:
            self._protection.stop()
        if self._limiter:
            self._limiter.close()
        self._inbox.dismiss()
        self._threads.stop()
        self._metrics.flush()
        _log.info("stopped", extra={"fields": {"drained": drained}})
        return self._failed

    def _begin_last_releases(self) -> threading.Thread | None:
        """Release the claims that the store did not take before, on a thread of their own: it may not answer now."""
        if not self._releases:
            return None
        thread = threading.Thread(target=self._releases.beat, name="last-releases", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread is to be had: they lapse with their messages' leases
            _log.warning("release_failed", exc_info=True)
            return None
        return thread

    # Receiving

    def wants(self, held: int) -> int:
        """How many messages one more poll may ask for, while so many are held."""
        if self._outage.lasts or self._begins_nothing():
            return 0
        number = ask_for(
            held,
            concurrency=self._settings.concurrency,
            mean_seconds=self.slow_for if self.slow_for > LONG_HANDLER_SECONDS else self._metrics.mean_seconds,
            per_second=self._metrics.rate,
            largest_batch=self._broker.capabilities.largest_batch,
            lease=self._settings.lease,
            free=self._broker.capabilities.calls_are_free,
        )
        most = self._isolation.receives
        return number if most is None else min(most, number)

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        """Put the messages of a poll through the gate."""
        begins_nothing = self._begins_nothing()  # one answer for all: those of a group keep their order
        works: list[Work] = []
        for lease in self._leases.hold(deliveries):
            if self._settler.owes_acknowledgement(lease):
                self._settler.acknowledge(lease)
            elif begins_nothing and not self._attempts.at_last_delivery(lease):
                self._release(lease, Again(seconds=0))
            else:
                works.append(self._open(lease))
        self._inbox.put(*(work for work in works if self._is_admitted(work)))
        if deliveries:
            self._isolation.started()

    def _open(self, lease: Lease, failures: int = 0) -> Work:
        delivery = lease.delivery
        if failures:  # in hand: it looks like a next delivery, to the gate and to the handler
            delivery = replace(delivery, receive_count=delivery.receive_count + failures)
        try:
            return Work(lease=lease, message=self._gate.open(delivery))
        except PoisonMessage as poison:
            return Work(lease=lease, refusal=poison)
        except BaseException as error:
            # Internal error: one message must not end the process, which would only receive it again.
            _log.exception("gate_failed", extra={"fields": {"message_id": lease.delivery.id}})
            return Work(lease=lease, refusal=error)

    def _is_admitted(self, work: Work) -> bool:
        """Whether it is for a handler. What is not ends now, unless it has to wait for its turn in its group."""
        if work.message or self._ordered:
            self._turns.expect(work)
            return True
        if isinstance(outcome := finish(self._attempts.attempt(work)), Again):
            self._release(work.lease, outcome)
        else:
            self._settler.carry_out(work.lease, outcome)
        return False

    # Handling

    def _lose(self, line: Line, work: Work) -> None:
        """Leave a message to the end of its lease: what becomes of it could not be found out."""
        self._leases.lose(work.lease, "a fault of the runtime")
        self._release_rest(line)  # its group goes on when it is back
        self._end(work)

    def _begins_nothing(self) -> bool:
        """The worker stops, or rests until its task is idle: another task should have what has not begun."""
        return self._stopping.is_set() or (self._protection is not None and self._protection.resting)

    def _attempt(self, work: Work) -> Steps[Outcome]:
        self._running.add(work)
        if self._settings.max_messages and next(self._begun) == self._settings.max_messages:
            self._stopping.set()  # nothing more begins, also before the shutdown does
            self.request_stop("recycled")
        try:
            outcome = yield from self._attempts.attempt(work)
            self._settler.carry_out(work.lease, outcome)  # while it is its turn: the next may end the process
            return outcome
        finally:
            self._running.discard(work)

    def _carry_out(self, outcome: Outcome, line: Line, work: Work) -> bool:
        """Carry out what was decided; False if the line does not go on now."""
        if outcome == "acknowledge":
            self._end(work)
            return True
        if outcome == "behind":
            if self._inbox.park(line, work):
                self._inbox.resume(line)
                return False
            outcome = Again(seconds=0)  # the worker stops
        if isinstance(outcome, Again):
            work.error = outcome.error
            work.failures += outcome.error is not None
            seconds = outcome.seconds if outcome.seconds_in_hand is None else outcome.seconds_in_hand
            waits = outcome.in_hand and self._waits_in_hand and not self._until_empty
            if waits and self._in_hand.keep(line, work, seconds):
                return False
            self._release(work.lease, outcome)
        waits_for = outcome if isinstance(outcome, Letter) and self._ordered and self._inbox.park(line) else None
        if waits_for is None:
            self._release_rest(line)
        self._end(work)
        if waits_for:
            waits_for.then(partial(self._go_on, line))
        return waits_for is None

    def _go_on(self, line: Line, arrived: bool) -> None:
        """A group goes on when its poison is in the dead-letter queue, and not before."""
        if not arrived:
            self._release_rest(line)
        self._inbox.resume(line)

    # Releasing

    def _release(self, lease: Lease, again: Again) -> None:
        """Release the message, to be delivered again."""
        if again.error is not None and self._attempts.at_last_delivery(lease):
            self._settler.dead_letter(lease, self._attempts.last_delivery(lease, again.error))
            return
        if again.error is not None:
            fields = {"message_id": lease.delivery.id, "seconds": math.ceil(again.seconds)}
            _log.info("released", extra={"fields": fields})
        self._memory.released(lease.delivery.id, worked=again.error is not None)
        self._settler.release(lease, again.seconds)
        if self._until_empty:  # a message on its way back would not be seen, and the queue be taken for empty
            self._settler.flush(_LAST_WORDS)

    def _end(self, work: Work) -> None:
        """Count the message as ended: the worker has it no more."""
        self._turns.end(work)
        self._inbox.end(work)

    def _release_all(self, works: Iterable[Work]) -> None:
        for work in works:
            self._release(work.lease, Again(seconds=0))
            self._end(work)

    def _release_rest(self, line: Line) -> None:
        self._release_all(self._inbox.take_back(line))

    def _release_ready(self, *, unless: Callable[[Work], bool]) -> None:
        """Release the messages that were fetched ahead."""
        self._release_all(self._inbox.take_back_ready(unless=unless))

    def _has_few_deliveries(self, work: Work) -> bool:
        return not self._attempts.spares_deliveries(work.lease)

    def _is_last_delivery(self, work: Work) -> bool:
        return self._attempts.at_last_delivery(work.lease)

    def _release_unbegun(self, *, unless: Callable[[Work], bool]) -> None:
        """Release what has not begun; the first of a group that waits in hand comes back when its attempt was due."""
        now = time.monotonic()
        for work, due_at in self._inbox.take_back_all(unless=unless):
            self._release(work.lease, Again(seconds=max(0.0, due_at - now), error=work.error))
            self._end(work)

    def look_at_slow_handlers(self) -> None:
        """Release what waits behind handlers that became slow: another task could begin it."""
        moments = [lease.began_at for lease in self._leases.at_work()]
        begun = [each for each in moments if each is not None]
        self.slow_for = time.monotonic() - max(begun) if len(begun) >= self._settings.concurrency else 0.0
        if self.slow_for > LONG_HANDLER_SECONDS:
            self._release_ready(unless=self._is_last_delivery)

    # Failing

    def _overdue(self, lease: Lease) -> None:
        # A thread cannot be ended from outside. The others finish, the process ends, and a fresh one starts.
        _log.error("handler_overdue", extra={"fields": {"message_id": lease.delivery.id}})
        for work in [work for work in self._running.copy() if work.lease is lease]:
            self._end(work)  # the drain does not wait for it
        self._fail("a handler is overdue")

    def _refuse(self, refused: HandlerRefused) -> None:
        # Wrong for every message: any other one ends in the same way, and in a fresh process, too.
        _log.error("handler_refused: %s", refused)
        self._stopping.set()
        self._fail("the handler is refused", code=EXIT_WRONG)

    def _fail(self, why: str, *, code: int = EXIT_FAILED) -> None:
        self._failed = max(code, self._failed)
        self.request_stop(why)
