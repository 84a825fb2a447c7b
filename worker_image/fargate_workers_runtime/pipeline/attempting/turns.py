"""A message's turn: whether it begins now, and whether with others or alone."""

import logging
import sys
import threading
from collections.abc import Callable
from typing import Literal

from fargate_workers_runtime.handlers import Steps
from fargate_workers_runtime.pipeline.attempting.attempts import Attempts
from fargate_workers_runtime.pipeline.attempting.isolation import Isolation, place, unanswered
from fargate_workers_runtime.pipeline.attempting.patience import Memory, Seen
from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work
from fargate_workers_runtime.pipeline.leases import Lease
from fargate_workers_runtime.pipeline.outage import Outage
from fargate_workers_runtime.pipeline.settling import Again, Outcome, Settler

_log = logging.getLogger(__name__)

#: How long a suspect waits, in seconds, until what else is in flight here is released and finished work acknowledged.
_CLEAR_SECONDS = 1.0


class Turns:
    """The decision whether a message begins now, and if not, what becomes of it.

    Args:
        attempt: Makes an attempt.
        reopen: Puts a message that waited in hand through the gate again, after so many failures.
        release_ready: Releases what was fetched ahead.
        begins_nothing: Whether the worker stops, or rests.
        lease: Seconds for which a message is leased.
        over: Set when the time for finishing what runs is over.
    """

    def __init__(
        self,
        *,
        attempt: Callable[[Work], Steps[Outcome]],
        reopen: Callable[[Lease, int], Work],
        release_ready: Callable[[], None],
        begins_nothing: Callable[[], bool],
        attempts: Attempts,
        isolation: Isolation,
        inbox: Inbox,
        settler: Settler,
        outage: Outage,
        memory: Memory,
        lease: int,
        stopping: threading.Event,
        over: threading.Event,
    ) -> None:
        self._attempt = attempt
        self._reopen = reopen
        self._release_ready = release_ready
        self._begins_nothing = begins_nothing
        self._attempts = attempts
        self._isolation = isolation
        self._inbox = inbox
        self._settler = settler
        self._outage = outage
        self._memory = memory
        self._lease = lease
        self._stopping = stopping
        self._over = over

    def expect(self, work: Work) -> None:
        """`work` is about to wait for a handler; while it may be a killer, nothing more is received."""
        delivery = work.lease.delivery
        if delivery.receive_count == 1:
            return
        seen = self._memory.of(delivery.id)
        if seen.deaths or self._isolation.suspects(self._deaths(work, seen)):
            self._suspect(work, known=seen.deaths)

    def end(self, work: Work) -> None:
        """Note that the worker has `work` no more."""
        self._isolation.forget(work)

    def take(self, line: Line, work: Work) -> Steps[Outcome]:
        """Give the first of `line` its turn; returns its outcome."""
        if self._begins_nothing():
            # What the queue would then give up is attempted first, as far as there is time.
            last = self._attempts.at_last_delivery(work.lease) and not self._over.is_set()
            return (yield from self._attempt(work)) if last else Again(seconds=0)
        if self._outage.lasts:
            return self._attempts.postpone(work.lease)
        if work.failures:
            again = self._reopen(work.lease, work.failures)
            work.message, work.refusal = again.message, again.refusal
        seen = self._memory.of(work.lease.delivery.id)
        deaths = self._deaths(work, seen)
        if seen.deaths or self._isolation.suspects(deaths):
            outcome = yield from self._alone(line, work, deaths, known=seen.deaths)
        else:
            outcome = yield from self._beside_others(work)
        if not isinstance(outcome, Again):
            return outcome
        known = self._memory.of(work.lease.delivery.id).deaths
        if known <= seen.deaths:
            return outcome
        work.lease.begin_again()  # it released its claim: the claims know of deaths that neither time nor count shows
        return (yield from self._alone(line, work, deaths, known=known))

    def _deaths(self, work: Work, seen: Seen) -> int:
        if work.lease.delivery.receive_count == 1:
            return 0
        return unanswered(work.lease.delivery, released=seen.released, lease=self._lease)

    def _suspect(self, work: Work, *, known: int) -> None:
        delivery = work.lease.delivery
        self._isolation.expect(work, group=delivery.group_id or work, known=known, at=place(delivery))

    def _beside_others(self, work: Work) -> Steps[Outcome]:
        self._isolation.forget(work)
        turn = self._isolation.begin(may_leave=self._may_leave(work))
        if turn != "now":
            return _elsewhere(turn)
        try:
            return (yield from self._attempt(work))
        finally:
            self._isolation.end()

    def _alone(self, line: Line, work: Work, deaths: int, *, known: int) -> Steps[Outcome]:
        """Run it alone: if it ends this process, no other message dies with it."""
        self._suspect(work, known=known)
        deaths = max(deaths, known)
        turn = self._isolation.begin(work, deaths=deaths, may_leave=self._may_leave(work))
        if turn != "now":
            return _elsewhere(turn)
        outcome: Outcome | None = None
        try:
            _log.warning("runs_alone", extra={"fields": {"message_id": work.lease.delivery.id, "deaths": deaths}})
            self._release_ready()
            self._inbox.wait_until_alone(line, _CLEAR_SECONDS)
            self._settler.flush(_CLEAR_SECONDS)
            fewest = self._isolation.fewest_deaths_beside(work)
            work.alone_for = sys.maxsize if fewest is None else max(1, fewest, known)
            outcome = yield from self._attempt(work)
            return outcome
        finally:
            work.alone_for = 0
            ran = not isinstance(outcome, Again) or outcome.error is not None
            if not ran:
                self._isolation.rest(work)
            self._isolation.end(work, ran=ran)

    def _may_leave(self, work: Work) -> bool:
        return self._attempts.spares_deliveries(work.lease)


def _elsewhere(turn: Literal["release", "behind"]) -> Outcome:
    """What becomes of a message that does not begin now."""
    return Again(seconds=0) if turn == "release" else "behind"
