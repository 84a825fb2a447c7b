"""One attempt: a message from its claim to its end. What each ending promises is in errors.py and settling.py."""

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from fargate_workers_runtime.backoff import full_jitter, while_held
from fargate_workers_runtime.claims import Claims, TransactionalClaims, fingerprint
from fargate_workers_runtime.errors import ClaimLost, PoisonMessage, Retry
from fargate_workers_runtime.inbox import Work
from fargate_workers_runtime.leases import Lease, Leases
from fargate_workers_runtime.limiter import Limiter
from fargate_workers_runtime.logs import log_context
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.metrics import Metrics
from fargate_workers_runtime.outage import Outage
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.settling import Settler

_log = logging.getLogger(__name__)

#: Tries to record a finished effect, the pauses between them growing, before the message is acknowledged without.
_COMPLETION_TRIES = 4


class Attempts:
    """Runs `handle` on messages that this worker may run, and ends each message in the way it asks for."""

    def __init__(
        self,
        handle: Callable[[Message], None],
        *,
        settings: Settings,
        claims: Claims | None,
        limiter: Limiter | None,
        leases: Leases,
        settler: Settler,
        metrics: Metrics,
        outage: Outage,
        stopping: threading.Event,
    ) -> None:
        self._handle = handle
        self._settings = settings
        self._claims = claims
        self._limiter = limiter
        self._leases = leases
        self._settler = settler
        self._metrics = metrics
        self._outage = outage
        self._stopping = stopping

    def attempt(self, work: Work) -> bool:
        """One message, from claim to end. False if it will come back."""
        message, lease = work.message, work.lease
        if lease.lost:  # it waited while the process stood still, and another may have it
            return False
        started = time.monotonic()
        with log_context(message_id=message.id, receive_count=message.receive_count):
            try:
                claimed = self._claim(message, lease)
                if not isinstance(claimed, Message):
                    return claimed
                asked = time.monotonic()
                may_begin = self._may_begin(lease)
                started += time.monotonic() - asked  # waiting for the rate limit is not work
                return may_begin and self._run(claimed, lease)
            except BaseException as error:  # a handler's thread must outlive whatever happens in it
                _log.exception("attempt_failed")
                self.retry(lease, error)
                return False
            finally:
                self._metrics.worked(time.monotonic() - started)

    # Before the handler

    def _claim(self, message: Message, lease: Lease) -> Message | bool:
        """The message, if it may run; else whether the line may go on."""
        if self._claims is None:
            return message
        payload = fingerprint(message.body)
        seconds = self._leases.seconds_left(lease)
        try:
            claim = self._claims.claim(message.idempotency_key, owner=lease.owner, seconds=seconds, payload=payload)
        except Exception:
            _log.warning("claim_failed", exc_info=True)
            lease.claim_key = message.idempotency_key  # granted, perhaps, and only the answer was lost
            self._outage.begin(self._claims.check)
            return self.postpone(lease)
        if claim.state == "granted":
            lease.claim_key = message.idempotency_key
            return replace(message, attempt=claim.attempt)
        if claim.state == "held":
            wait = while_held(
                claim.seconds_left, receive_count=message.receive_count, mean_seconds=self._metrics.mean_seconds
            )
            seconds = min(math.ceil(wait + random.uniform(0, 1)), self._leases.longest_wait(lease))  # noqa: S311
            _log.info("held_elsewhere", extra={"fields": {"seconds": seconds}})
            self._settler.back(lease, seconds)
            return False
        if claim.payload != payload:
            self.bury(lease, PoisonMessage("idempotency key reused", detail="the key is done, with another payload"))
            return True
        _log.info("duplicate")
        self._metrics.count("MessagesDuplicate")
        self._settler.done(lease)
        return True

    def _may_begin(self, lease: Lease) -> bool:
        """Wait for the shared rate limit; False if the worker stops meanwhile."""
        if self._limiter is None:
            return True
        try:
            if self._limiter.take(stopping=self._stopping):
                return True
        except Exception:
            _log.warning("rate_limit_failed", exc_info=True)
            self._outage.begin(self._limiter.check)
            return self.postpone(lease)
        self._release(lease)
        self._settler.back(lease, 0)
        return False

    def postpone(self, lease: Lease) -> bool:
        """Hand the message back for a while, because of an outage."""
        self._release(lease)
        self._metrics.count("MessagesFailed")
        self._settler.back(lease, math.ceil(full_jitter(lease.received.receive_count)))
        return False

    # The handler

    def _run(self, message: Message, lease: Lease) -> bool:
        limit = self._settings.max_processing
        lease.deadline = time.monotonic() + limit
        message = replace(
            message,
            deadline=datetime.now(UTC) + timedelta(seconds=limit),
            transaction=partial(self._transact, lease),
        )
        started = time.monotonic()
        try:
            with log_context(attempt=message.attempt):
                self._handle(message)
        except PoisonMessage as poison:
            self._release(lease)
            self.bury(lease, poison)
            return True
        except ClaimLost:
            return self._fenced(lease)
        except Retry as retry:
            _log.info("retry", extra={"fields": {"reason": retry.reason}})
            return self.retry(lease, retry)
        except BaseException as error:
            _log.exception("handler_failed")
            return self.retry(lease, error)
        finally:
            self._metrics.took(time.monotonic() - started)
            lease.deadline = None
        return self._finish(lease)

    def _transact(self, lease: Lease, items: Sequence[Mapping[str, Any]]) -> None:
        """The handler's writes and the record of them, in one transaction."""
        if not isinstance(self._claims, TransactionalClaims):
            raise TypeError("message.transact needs claims in DynamoDB; give the QueueWorker a DeduplicationTable.")
        with lease.claiming:
            key = lease.claim_key
            if lease.lost or key is None or not self._claims.complete_with(key, owner=lease.owner, items=items):
                raise ClaimLost
            lease.completed = True

    def _finish(self, lease: Lease) -> bool:
        """Record the effect, then acknowledge: a crash between the two costs a delivery, not an effect."""
        key = lease.claim_key
        ours = not lease.lost if self._claims is None or key is None else self._complete(self._claims, key, lease)
        if not ours:
            return self._fenced(lease)
        _log.debug("handled")
        self._metrics.count("MessagesHandled")
        self._settler.done(lease)
        return True

    def _complete(self, claims: Claims, key: str, lease: Lease) -> bool:
        """Record the effect; False if the key is no longer ours.

        While the store does not answer, the lease is kept. At last the message is acknowledged without a record: the
        effect is there and nobody else may have begun, and a redelivery would certainly repeat it.
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
                self._outage.begin(claims.check)
            if tries == _COMPLETION_TRIES or lease.lost or self._stopping.wait(full_jitter(tries)):
                break
        _log.error("effect_not_recorded")
        return not lease.lost

    def _fenced(self, lease: Lease) -> bool:
        # Another attempt has the message now; acknowledging it would take it away from that one.
        _log.warning("fenced")
        self._metrics.count("MessagesFenced")
        self._leases.forget(lease)
        return False

    # Ending what was not done

    def retry(self, lease: Lease, error: BaseException) -> bool:
        """Let the message come back, or go where it would go now, with the reason. False if it comes back."""
        self._release(lease)
        if lease.lost:  # another attempt has the message, and its ending is that one's
            self._metrics.count("MessagesFailed")
            return False
        count = lease.received.receive_count
        if 0 < self._settings.max_receive_count <= count:
            said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self.bury(lease, PoisonMessage(f"failed {count} times", detail=said))
            return True
        self._metrics.count("MessagesFailed")
        after = error.after if isinstance(error, Retry) else None
        seconds = full_jitter(count) if after is None else after.total_seconds()
        self._settler.back(lease, min(math.ceil(seconds), self._leases.longest_wait(lease)))
        return False

    def bury(self, lease: Lease, poison: PoisonMessage) -> None:
        """Send the message to the dead-letter queue."""
        _log.warning("poison", extra={"fields": {"message_id": lease.received.id, "reason": poison.reason}})
        self._metrics.count("MessagesPoisoned")
        self._settler.bury(lease, reason=poison.reason, detail=poison.detail)

    def abandon(self, lease: Lease) -> None:
        """Free the message and key of a handler that has not ended in time; it will be killed."""
        lease.lost = True
        _log.warning("abandoned", extra={"fields": {"message_id": lease.received.id}})
        self._release(lease)
        self._settler.back(lease, 0)

    def _release(self, lease: Lease) -> None:
        """Let the next attempt claim the key at once. If that fails, the claim lapses with the message's visibility."""
        with lease.claiming:
            key, lease.claim_key = lease.claim_key, None
            if self._claims is None or key is None:
                return
            try:
                self._claims.release(key, owner=lease.owner)
            except Exception:
                _log.warning("release_failed", exc_info=True)
