"""One attempt: a message from its claim to its end. What each ending promises is in errors.py."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fargate_workers_runtime.brokers import AttemptCounter
from fargate_workers_runtime.claims import Block, Claims, EffectAttempt, Effects, TransactionalClaims, fingerprint
from fargate_workers_runtime.errors import ClaimLost, EffectRefused, HandlerRefused, PoisonMessage, Refusal, Retry
from fargate_workers_runtime.handlers import Call, LoggedMessage, Steps, replay_of
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.pipeline.attempting.isolation import PROVEN, SURE
from fargate_workers_runtime.pipeline.attempting.patience import Memory, attempts, reason
from fargate_workers_runtime.pipeline.backoff import equal_jitter, full_jitter, until_next_look, while_held
from fargate_workers_runtime.pipeline.inbox import Work
from fargate_workers_runtime.pipeline.leases import Lease, Leases
from fargate_workers_runtime.pipeline.outage import Outage
from fargate_workers_runtime.pipeline.settling import Again, Letter, Outcome, Releases
from fargate_workers_runtime.plain_values import described, text_of
from fargate_workers_runtime.redis import Limiter
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import CountName, Metrics, log_context

_log = logging.getLogger(__name__)

#: Tries to record a finished effect, the pauses between them growing, before the message is acknowledged without.
_COMPLETION_TRIES = 4

#: Deliveries left of which none is to be saved.
_FEW_DELIVERIES = 10

#: Deliveries left, of a queue whose number of deliveries is not known.
_MANY = 100

#: A handler that takes no longer has not waited for an answer, in seconds: none over a network is so quick.
_NO_WAIT = 50e-6

#: A message that an outage sends away waits no longer than after so many failures: nothing is wrong with it.
_OUTAGE_FAILURES = 5


class Attempts:
    """The attempts of this worker: each calls `handle` if the message may run, and decides how the message ends.

    Args:
        ordered: The order of groups holds.
        effects: Where handlers claim their keys themselves. Default: nowhere.
        stopping: Set when nothing more should begin.
        over: Set when the time for finishing what runs is over, too.
        counter: What counts the attempts of all processes. Default: nothing.
    """

    def __init__(
        self,
        handle: Call,
        *,
        ordered: bool,
        settings: Settings,
        claims: Claims | None,
        releases: Releases | None,
        limiter: Limiter | None,
        leases: Leases,
        metrics: Metrics,
        outage: Outage,
        memory: Memory,
        stopping: threading.Event,
        over: threading.Event,
        on_refused: Callable[[HandlerRefused], None],
        effects: Effects | None = None,
        counter: AttemptCounter | None = None,
    ) -> None:
        self._handle = handle
        self._ordered = ordered
        self._settings = settings
        self._claims = claims
        self._releases = releases
        self._limiter = limiter
        self._leases = leases
        self._metrics = metrics
        self._outage = outage
        self._memory = memory
        self._stopping = stopping
        self._over = over
        self._on_refused = on_refused
        self._effects = effects
        self._counter = counter

    def attempt(self, work: Work) -> Steps[Outcome]:
        """One message, from claim to end."""
        message, lease = work.message, work.lease
        if not self._leases.is_alive(lease):  # it waited while the process stood still, and another may have it
            return self._gone(lease)
        if message is None:
            return self._refused(work)
        if lease.delivery.begun and (letter := self._counted(lease)):
            return letter
        started = time.monotonic()
        with log_context(LoggedMessage(message)) as context:
            try:
                claimed = self._claim(message, lease, alone_for=work.alone_for)
                if not isinstance(claimed, Message):
                    return claimed
                if self._limiter is not None:
                    asked = time.monotonic()
                    if turned_away := self._wait_for_the_limit(self._limiter, lease):
                        return turned_away
                    started += time.monotonic() - asked  # waiting for the rate limit is not work
                context.add(attempt=claimed.attempt)
                return (yield from context.left_while_waiting(self._run(claimed, work)))
            except GeneratorExit:  # nobody goes on with it: the process ends
                raise
            except BaseException as error:  # a handler's thread must outlive whatever happens in it
                _log.exception("attempt_failed")
                return self.retry(lease, error)
            finally:
                self._metrics.worked(time.monotonic() - started)

    # Before the handler

    def _counted(self, lease: Lease) -> Letter | None:
        """What the broker counted is remembered; the letter of a message whose attempts never end."""
        delivery = lease.delivery
        self._memory.learned(delivery.id, failures=delivery.failed)
        deaths = delivery.begun - delivery.failed
        return self.killer(lease, deaths=deaths) if deaths >= max(PROVEN, self._settings.attempts_allowed) else None

    def _refused(self, work: Work) -> Outcome:
        """In its group's turn, what becomes of a message that the gate did not let pass."""
        if work.refusal is None:  # an announcement that asks for nothing
            return "acknowledge"
        if isinstance(work.refusal, PoisonMessage):
            return self.dead_letter(work.lease, work.refusal)
        return self.retry(work.lease, work.refusal)

    def _claim(self, message: Message, lease: Lease, *, alone_for: int) -> Message | Outcome:
        """The message, if it may run; else what becomes of it."""
        seen = self._memory.of(message.id)
        if self._claims is None:
            number = attempts(seen, receive_count=lease.delivery.receive_count, claimed=None, ordered=self._ordered)
            return message if number == message.attempt else replace(message, attempt=number)
        payload = fingerprint(message.body)
        until, seconds = lease.leased_until, self._leases.seconds_left(lease)
        try:
            claim = self._claims.claim(
                message.idempotency_key, owner=lease.owner, seconds=seconds, payload=payload, message_id=message.id
            )
        except Exception:
            _log.warning("claim_failed", exc_info=True)
            lease.claim_key = message.idempotency_key  # granted, perhaps, and only the answer was lost
            self._begin_outage()
            return self.postpone(lease)
        if claim.state == "granted":
            lease.claim_key, lease.claimed_until = message.idempotency_key, until
            lease.attempt = claim.of_message - claim.unanswered  # an attempt that died, or never began, has not failed
            # Before it takes others along, or dies with them once more: messages with fewer deaths go first.
            if claim.unanswered > (alone_for or SURE - 1):
                self._memory.died(message.id, claim.unanswered)
                self._release_claim(lease, begun=False)
                return Again(seconds=0, in_hand=True)
            if claim.unanswered >= max(PROVEN, self._settings.attempts_allowed):
                self._release_claim(lease, begun=False)
                return self.killer(lease, deaths=claim.unanswered)
            return replace(message, attempt=claim.attempt)
        if claim.state == "held":
            return self._held(message, lease, claim.seconds_left)
        return self._done_before(lease, reused=claim.payload != payload)

    def _done_before(self, lease: Lease, *, reused: bool) -> Outcome:
        if reused:
            return self.dead_letter(
                lease, PoisonMessage("idempotency key reused", detail="the key is done, with another payload")
            )
        _log.info("duplicate")
        self._metrics.count("MessagesDuplicate")
        return "acknowledge"

    def _held(self, message: Message, lease: Lease, seconds_left: float) -> Again:
        """Another attempt has the key: wait for its end, or its death."""
        settings, spread, longest = self._settings, random.uniform(0, 1), self._leases.longest_wait(lease)  # noqa: S311
        mean = self._metrics.mean_seconds
        wait = while_held(
            seconds_left,
            receive_count=message.receive_count,
            deliveries_left=max(0, (settings.max_receive_count or _MANY) - message.receive_count),
            longest_run=settings.max_processing + settings.lease,
            mean_seconds=mean,
        )
        look = until_next_look(seconds_left, looks=self._memory.held(message.id).held, mean_seconds=mean)
        _log.info("held_elsewhere", extra={"fields": {"seconds": math.ceil(look + spread)}})
        return Again(
            seconds=min(math.ceil(wait + spread), longest),
            in_hand=True,
            seconds_in_hand=min(math.ceil(look + spread), longest),
        )

    def _wait_for_the_limit(self, limiter: Limiter, lease: Lease) -> Again | None:
        """Wait for the shared rate limit; what becomes of the message if it may not begin."""
        try:
            if limiter.take(stopping=self._stopping):
                return None
        except Exception:
            _log.warning("rate_limit_failed", exc_info=True)
            self._outage.begin(limiter.check)
            return self.postpone(lease)
        self._release_claim(lease, begun=False)
        return Again(seconds=0)

    def postpone(self, lease: Lease) -> Again:
        """Let the message wait, because of an outage."""
        self._metrics.count("MessagesPostponed")
        return self._later(lease)

    def _later(self, lease: Lease) -> Again:
        """No attempt: nothing is wrong with the message."""
        self._release_claim(lease, begun=False)
        failures = min(lease.delivery.receive_count, _OUTAGE_FAILURES)
        return Again(seconds=math.ceil(full_jitter(failures)), in_hand=self._ordered)

    def _gone(self, lease: Lease) -> Outcome:
        self._release_claim(lease, begun=False)
        self._leases.lose(lease, "ran out")
        return "gone"

    # The handler

    def _run(self, message: Message, work: Work) -> Steps[Outcome]:
        lease, limit = work.lease, self._settings.max_processing
        effect = (
            EffectAttempt(key=message.idempotency_key, payload=fingerprint(message.body)) if self._effects else None
        )
        message = message.begun(
            deadline=datetime.fromtimestamp(time.time() + min(limit, max(0.0, self._leases.longest_run(lease))), UTC),
            transaction=partial(self._transact, lease),
            effect=partial(self._effect_in, effect),
        )
        if not self._leases.is_alive(lease):  # by now: claim and rate limit may have taken long
            return self._gone(lease)
        if self._counter and not self._counter.attempt_begins(lease.delivery):
            return self._gone(lease)
        again = message.attempt > 1 or message.receive_count > 1 or replay_of(message) is not None
        if again:
            _log.info("begins_again", extra={"fields": {"attempt": message.attempt, **_sent_at(lease)}})
        started = time.monotonic()
        self._leases.handler_begins(lease, seconds=limit + self._handle.grace)
        try:
            yield from self._handle.steps(message)
        except GeneratorExit:  # nobody goes on with it: the process ends
            raise
        except PoisonMessage as poison:
            self._release_claim(lease)
            return self.dead_letter(lease, poison)
        except ClaimLost:
            return self._fenced(lease)
        except EffectRefused as refused:
            return self._refused_effect(message, lease, refused.why)
        except HandlerRefused as refused:
            self._on_refused(refused)
            self._metrics.count("MessagesFailed")
            return self._later(lease)
        except Retry as retry:
            fields = {"reason": text_of(retry.reason), "attempt": message.attempt, **_sent_at(lease)}
            _log.info("retry", exc_info=retry.__cause__, extra={"fields": fields})
            return self.retry(lease, retry)
        except BaseException as error:
            return self._failed(message, lease, error)
        finally:
            seconds = time.monotonic() - started
            self._metrics.took(seconds)
            work.waited = seconds > _NO_WAIT or self._claims is not None or self._limiter is not None
            self._leases.handler_ends(lease)
        if effect and effect.refused:  # the handler has caught everything
            return self._refused_effect(message, lease, effect.refused)
        return self._succeed(lease, guarded=effect is None or effect.entered, logged=again)

    def _failed(self, message: Message, lease: Lease, error: BaseException) -> Outcome:
        """What becomes of a message whose handler raised: its own failure, or one of the database."""
        if self._effects and self._effects.is_conflict(error):
            _log.info("transaction_conflict", exc_info=error)
            return self.retry(lease, Retry("the database ended the transaction for the sake of another"))
        if self._effects and self._effects.is_outage(error):
            try:
                self._effects.check()
            except Exception:
                _log.warning("database_unavailable", exc_info=True)
                self._outage.begin(self._effects.check)
                return self.postpone(lease)
        _log.error("handler_failed", exc_info=error, extra={"fields": {"attempt": message.attempt, **_sent_at(lease)}})
        return self.retry(lease, error)

    def _effect_in(self, attempt: EffectAttempt | None, connection: Any) -> Block:
        """The handler's writes and the claim of its key, in one transaction."""
        if self._effects is None or attempt is None:
            raise TypeError("message.effect_in needs claims in PostgreSQL; give the QueueWorker a Database for claims.")
        return self._effects.effect_in(connection, attempt)

    def _refused_effect(self, message: Message, lease: Lease, why: Refusal) -> Outcome:
        if why == "held":
            return self._held(message, lease, self._settings.lease)  # no longer than its message is leased, probably
        return self._done_before(lease, reused=why == "reused")

    def _transact(self, lease: Lease, items: Sequence[Mapping[str, Any]]) -> None:
        """The handler's writes and the record of them, in one transaction."""
        if not isinstance(self._claims, TransactionalClaims):
            raise TypeError("message.transact needs claims in DynamoDB; give the QueueWorker a DeduplicationTable.")
        with lease.claiming:
            key = lease.claim_key
            if lease.lost or key is None or not self._claims.complete_with(key, owner=lease.owner, items=items):
                raise ClaimLost
            lease.completed = True

    def _succeed(self, lease: Lease, *, guarded: bool, logged: bool) -> Outcome:
        """Record the effect; acknowledged after that, a crash between the two costs a delivery, not an effect.

        It is `logged` where something of the message was logged before: the first success of most messages is silent.

        An effect that was not guarded is there all the same: another attempt would certainly repeat it. So the message
        is acknowledged, and counts as a failure, which is what an alarm looks at.
        """
        key = lease.claim_key
        if self._claims is None or key is None:
            ours = self._leases.is_alive(lease)
        else:
            ours = self._record(self._claims, key, lease)
        if not ours:
            return self._fenced(lease)
        if guarded and logged:
            _log.info("handled")
        elif guarded:
            _log.debug("handled")
        else:
            _log.error(
                "effect_not_guarded: the handler returned without message.effect_in; enter it once for every message"
            )
        self._metrics.count("MessagesHandled" if guarded else "MessagesFailed")
        self._memory.ended(lease.delivery.id)
        return "acknowledge"

    def _record(self, claims: Claims, key: str, lease: Lease) -> bool:
        """Record the effect; False if another owner has the key.

        While the store does not answer, the lease is kept, also while the worker stops. A message that was lost is
        delivered anew, so that the record counts no less: the store knows whether another attempt has the key. At last
        the message is acknowledged without a record: the effect is there and no other attempt may have begun, and a
        redelivery would certainly repeat it.
        """
        if lease.completed:
            return True
        for tries in range(1, _COMPLETION_TRIES + 1):
            try:
                with lease.claiming:
                    lease.completed = claims.complete(key, owner=lease.owner)
                return lease.completed
            except Exception:
                _log.warning("complete_failed", exc_info=True, extra={"fields": {"tries": tries}})
                self._begin_outage()
            if tries == _COMPLETION_TRIES or self._over.wait(full_jitter(tries)):
                break
        _log.error("effect_not_recorded")
        return not lease.lost

    def _fenced(self, lease: Lease) -> Outcome:
        # Another attempt has the message now; acknowledging it would take it away from that one.
        _log.warning("fenced")
        self._metrics.count("MessagesFenced")
        self._leases.end(lease)
        return "gone"

    # Ending what was not done

    def retry(self, lease: Lease, error: BaseException) -> Outcome:
        """The outcome of an attempt that failed: the next one, or the dead-letter queue, with the reason."""
        self._release_claim(lease)
        count: CountName = "MessagesPostponed" if isinstance(error, Retry) else "MessagesFailed"
        if lease.lost:  # another attempt has the message, and its ending is that one's
            self._metrics.count(count)
            return "gone"
        delivery = lease.delivery
        number = attempts(
            self._memory.of(delivery.id),
            receive_count=delivery.receive_count,
            claimed=lease.attempt,
            ordered=self._ordered,
        )
        seen = self._memory.failed(delivery.id)
        if self._counter:
            self._counter.attempt_failed(delivery)
        if number >= self._settings.attempts_allowed:
            return self._give_up(lease, reason(number, seen=seen, claimed=lease.attempt), error)
        self._metrics.count(count)
        seconds = _asked_for(error)
        wait = equal_jitter(number) if seconds is None else min(seconds, float(self._leases.longest_wait(lease)))
        return Again(seconds=math.ceil(wait), error=error, in_hand=self._ordered)

    def at_last_delivery(self, lease: Lease) -> bool:
        """Whether the message, released, would not be delivered again: the queue would give it up."""
        return 0 < self._settings.max_receive_count <= lease.delivery.receive_count

    def spares_deliveries(self, lease: Lease) -> bool:
        """Whether the message, released a few times, would still be delivered."""
        most = self._settings.max_receive_count
        return most == 0 or most - lease.delivery.receive_count >= _FEW_DELIVERIES

    def last_delivery(self, lease: Lease, error: BaseException) -> Letter:
        """The queue would give a message up that failed at its last delivery, but without the reason."""
        return self._give_up(lease, f"failed at delivery {lease.delivery.receive_count}, the queue's last", error)

    def killer(self, lease: Lease, *, deaths: int) -> Letter:
        """Give up a message that is never answered: whatever it meets there ends the process."""
        detail = f"begun {deaths} times without an end, at last alone: its process died each time, or was replaced"
        return self.dead_letter(lease, PoisonMessage("kills its process", detail=detail))

    def _give_up(self, lease: Lease, why: str, error: BaseException) -> Letter:
        return self.dead_letter(lease, PoisonMessage(why, detail=described(error)))

    def dead_letter(self, lease: Lease, poison: PoisonMessage) -> Letter:
        """The outcome of a message that is to be dead-lettered, and the reason."""
        why, detail = text_of(poison.reason), text_of(poison.detail)
        fields = {"message_id": lease.delivery.id, "reason": why, **_sent_at(lease)}
        _log.warning("poison", exc_info=poison.__cause__, extra={"fields": fields})
        self._metrics.count("MessagesPoisoned")
        self._memory.ended(lease.delivery.id)
        return Letter(reason=why, detail=detail)

    def abandon(self, lease: Lease) -> None:
        """Release the key of a handler that has not ended in time; it will be killed, and its message released."""
        lease.lost = True
        _log.warning("abandoned", extra={"fields": {"message_id": lease.delivery.id}})
        self._release_claim(lease, begun=False)  # the stop is to blame, and not the message

    def _release_claim(self, lease: Lease, *, begun: bool = True) -> None:
        """Release the claim: the next attempt can claim the key at once."""
        with lease.claiming:
            key, lease.claim_key = lease.claim_key, None
            if self._releases and key is not None:
                self._releases.release(key, owner=lease.owner, begun=begun)

    def _begin_outage(self) -> None:
        """Begin an outage: the claims did not answer."""
        if self._releases:
            self._outage.begin(self._releases.check)


def _sent_at(lease: Lease) -> dict[str, str]:
    """When the message was sent, for the lines in which its story begins; nothing where the broker does not know."""
    sent = lease.delivery.sent_at
    if sent is None:
        return {}
    moment = datetime.fromtimestamp(sent, UTC).isoformat(timespec="milliseconds")
    return {"sent_at": moment.replace("+00:00", "Z")}


def _asked_for(error: BaseException) -> float | None:
    """Seconds that a Retry asks for; None if it asks for none that make sense."""
    if not isinstance(error, Retry) or error.after is None:
        return None
    try:
        return max(0.0, error.after.total_seconds())
    except BaseException:  # whatever it is, it is no duration
        return None
