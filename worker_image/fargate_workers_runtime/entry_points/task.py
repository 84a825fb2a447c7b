"""`run_task`: one run of a scheduled task or of a task started for an S3 object.

Exit codes, which the stopped-task rule and any restart of the task depend on:
    0   done; or not needed: done before, or, of a schedule, being done by another run
    2   the environment is wrong, or the handler
    10  failed, or interrupted; another attempt may help
    20  failed; no attempt can help (PoisonMessage)
"""

import logging
import math
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import NoReturn

from fargate_workers_runtime.claims import Claim, Claims, open_claims
from fargate_workers_runtime.errors import HandlerRefused, PoisonMessage, Retry, SettingsError, with_plain_values
from fargate_workers_runtime.handlers import refuse_generators, resolve
from fargate_workers_runtime.process import EXIT_WRONG, Ticker, end, starting
from fargate_workers_runtime.settings import number, text
from fargate_workers_runtime.signals import on_stop
from fargate_workers_runtime.telemetry import exception_fields, logs

_log = logging.getLogger(__name__)

EXIT_DONE, EXIT_RETRY, EXIT_POISON = 0, 10, 20

#: How long a killed run keeps the next one out, in seconds; a live one renews its lease three times as often.
LEASE_SECONDS = 120

#: How often a run renews its lease, in seconds, and how much longer the lease must be for that to have happened.
_RENEWAL_SECONDS = LEASE_SECONDS / 3
_LEAST_RENEWAL = LEASE_SECONDS / 12

#: Between tries to record an effect, in seconds.
_COMPLETION_PAUSES = (1, 2, 4)

#: What one more try must leave of the stop timeout, in seconds.
_LAST_WORDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The schedule that started a task.

    Attributes:
        name: The schedule's name.
        scheduled_time: The time that this run stands for.
        run_id: The id of this invocation.
    """

    name: str
    scheduled_time: datetime
    run_id: str


@dataclass(frozen=True, kw_only=True)
class ObjectCreated:
    """The S3 object that a task was started for.

    Attributes:
        bucket: The bucket's name.
        key: The object's key.
        version_id: The object's version. None: the bucket has no versions.
        sequencer: Orders the events of one key, as S3 compares them. Default: none.
        size: The object's size in bytes. Default: 0.
        etag: The object's entity tag. Default: none.
    """

    bucket: str
    key: str
    version_id: str | None = None
    sequencer: str = ""
    size: int = 0
    etag: str = ""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One run: what started it, and the key of its effect. Exactly one of `schedule` and `object` is set.

    Attributes:
        name: The worker's name, which is the scope of its claims.
        idempotency_key: The same for every run that would have the same effect.
        exclusive_key: Held while the task runs, so that runs of one schedule do not overlap. None: for an object.
        schedule: The schedule that started the task. None: an object did.
        object: The object that the task was started for. None: a schedule started it.
    """

    name: str
    idempotency_key: str
    exclusive_key: str | None = None
    schedule: Schedule | None = None
    object: ObjectCreated | None = field(default=None)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Task":
        """The run that the variables of ScheduledTask and ObjectCreatedTask describe.

        Args:
            environment: The variables of the process, by name.

        Raises:
            SettingsError: A variable is missing or wrong, or none names what started the task.
        """
        name = text(environment, "WORKER_NAME")
        if "SCHEDULE_NAME" in environment:
            schedule = _schedule(environment)
            at = schedule.scheduled_time.isoformat()
            return cls(
                name=name,
                idempotency_key=f"schedule/{schedule.name}/{at}",
                exclusive_key=f"schedule/{schedule.name}",
                schedule=schedule,
            )
        if "OBJECT_BUCKET" in environment:
            created = _object(environment)
            version = created.version_id or created.sequencer or created.etag
            return cls(name=name, idempotency_key=f"{created.bucket}/{created.key}/{version}", object=created)
        raise SettingsError(
            "Neither SCHEDULE_NAME nor OBJECT_BUCKET is set; set the variables of what starts the task."
        )


def run_task(handle: Callable[[Task], object]) -> NoReturn:
    """The task process: it calls `handle` once with the task in the environment, and exits.

    Exit codes: 0 done or not needed, 2 wrong environment or handler, 10 failed or interrupted, 20 poison.

    With claims (see `open_claims`), a run of the same schedule that is still going makes this one exit 0 without work,
    and so does a run that has already done this time's, or this object's, work. A run that was killed holds its claim
    for up to two minutes; this one waits for the end of that. If another run works on the same object, this one waits
    until it ends: it exits 0 when the object is done, and does the work when the other has failed or died. SIGTERM (a
    Spot interruption) ends the run with 10, its claim released.

    Args:
        handle: A function or a coroutine function, called with the task. It raises PoisonMessage for work that can
            never succeed; after any other exception, another attempt may help.

    Example:
        >>> run_task(report)  # doctest: +SKIP
    """
    with starting():
        refuse_generators(handle)
        task = Task.from_environment(os.environ)
        claims = open_claims(scope=task.name)
        interruption = Interruption(stop_timeout=number(os.environ, "STOP_TIMEOUT_SECONDS", 120, 1, 43_260))
        on_stop(lambda _signal: interruption.request(), signals=(signal.SIGTERM,))
    end(run_claimed(handle, task, claims, interruption=interruption))


def run_claimed(
    handle: Callable[[Task], object],
    task: Task,
    claims: Claims | None,
    *,
    interruption: "Interruption | None" = None,
    wait: Callable[[float], object] = time.sleep,
) -> int:
    """One run under `claims`; returns the exit code.

    Args:
        interruption: The request to end early. Default: none comes.
        wait: Waits so many seconds for the lease of a run that may be dead.
    """
    began = time.monotonic()
    run = _Run(handle, task, claims, interruption or Interruption(), wait)
    with logs.log_context(key=task.idempotency_key):
        code, event = run.result()
        _log.info(event, extra={"fields": {"exit_code": code, "seconds": round(time.monotonic() - began, 3)}})
    return code


class _Interrupted(KeyboardInterrupt):
    """SIGTERM, raised where the handler is. No `except Exception` swallows it, and event loops know what to do."""


class Interruption:
    """SIGTERM: it breaks off the handler and waits, and lets each request to the claims end.

    A claim whose answer was not received would keep the next run out, and an effect that is done would not be recorded.

    Args:
        stop_timeout: Seconds between SIGTERM and SIGKILL. Default: 120, Fargate's longest.
    """

    def __init__(self, *, stop_timeout: float = 120, clock: Callable[[], float] = time.monotonic) -> None:
        self.requested: bool = False
        self._breaks_off = False
        self._stop_timeout = stop_timeout
        self._clock = clock
        self._ends_at = math.inf

    @property
    def seconds_left(self) -> float:
        """Until SIGKILL; infinity before the request."""
        return self._ends_at - self._clock()

    def request(self) -> None:
        """Called by the signal handler, in the main thread."""
        again, self.requested = self.requested, True
        if not again:
            self._ends_at = self._clock() + self._stop_timeout
        if self._breaks_off and not again:  # a second one must not break off the clean-up
            raise _Interrupted

    @contextmanager
    def breaking_off(self) -> Generator[None]:
        """Inside, a request raises; one that came before raises at once."""
        self._breaks_off = True
        try:
            if self.requested:
                raise _Interrupted
            yield
        finally:
            self._breaks_off = False


class _Run:
    """One run, from its claims to its exit code."""

    def __init__(
        self,
        handle: Callable[[Task], object],
        task: Task,
        claims: Claims | None,
        interruption: Interruption,
        wait: Callable[[float], object],
    ) -> None:
        self._handle = handle
        self._task = task
        self._claims = claims
        self._interruption = interruption
        self._wait = wait
        self._owner = uuid.uuid4().hex
        self._held: list[str] = []

    def result(self) -> tuple[int, str]:
        """The exit code, and what to call it in the log."""
        try:
            if self._claims is None:
                return self._call()
            return self._claim(self._claims) or self._work(self._claims)
        except _Interrupted:
            return EXIT_RETRY, "interrupted"
        except Exception:
            _log.exception("claims_failed")
            return EXIT_RETRY, "failed"
        finally:
            # A claim that cannot be released lapses, and changes nothing in what has become of the run.
            for key in self._held:
                self._release(key)

    def _claim(self, claims: Claims) -> tuple[int, str] | None:
        """None if this run has to do the work; else why it has not.

        A run that lives renews its lease, and does the work. One that was killed does not: its lease is waited for.
        A schedule has a next time, an object has not: should the run that lives die later, no other would try again.
        """
        known_left = math.inf
        while (held := self._try_to_claim(claims)) is not None:
            if held.state == "completed":
                return EXIT_DONE, "duplicate"
            lives = held.seconds_left > known_left + _LEAST_RENEWAL
            if held.is_of_another_time or (lives and self._task.schedule):
                return EXIT_DONE, "skipped_other_run"
            seconds = min(math.ceil(held.seconds_left) + 1, _RENEWAL_SECONDS)
            _log.info("held_elsewhere", extra={"fields": {"seconds": seconds}})
            with self._interruption.breaking_off():
                self._wait(seconds)
            known_left = held.seconds_left - seconds
        return None

    def _try_to_claim(self, claims: Claims) -> "_Held | None":
        """Claim the schedule and this time, or the object: all or nothing. None if that worked."""
        # The schedule first: its holder may look at this time's claim without another run between.
        exclusive, key = self._task.exclusive_key, self._task.idempotency_key
        schedule = self._ask(claims, exclusive) if exclusive else None
        own = self._ask(claims, key)
        other = schedule is not None and schedule.state != "granted"
        if own.state == "granted" and not other:
            return None
        self._release_all()
        if own.state == "granted" and schedule:
            return _Held(state="held", seconds_left=schedule.seconds_left, is_of_another_time=True)
        seconds = max(own.seconds_left, schedule.seconds_left if schedule else 0.0)
        return _Held(state=own.state, seconds_left=seconds)

    def _ask(self, claims: Claims, key: str) -> Claim:
        if self._interruption.requested:
            raise _Interrupted
        self._held.append(key)  # granted, perhaps, and only the answer was lost
        claim = claims.claim(key, owner=self._owner, seconds=LEASE_SECONDS)
        if claim.state != "granted":
            self._held.remove(key)
        return claim

    def _work(self, claims: Claims) -> tuple[int, str]:
        held = list(self._held)
        renewal = Ticker("renewal", seconds=_RENEWAL_SECONDS, action=lambda: _renew(claims, held, self._owner))
        renewal.start()
        try:
            code, event = self._call()
        finally:
            renewal.stop()
        if code == EXIT_DONE and not self._recorded(claims):
            return EXIT_RETRY, "fenced"
        return code, event

    def _call(self) -> tuple[int, str]:
        try:
            with self._interruption.breaking_off():
                _handled(self._handle, self._task)
        except HandlerRefused as refused:
            _log.error("handler_refused: %s", refused)
            return EXIT_WRONG, "failed"
        except PoisonMessage as poison:
            fields = {"reason": poison.reason, **({"detail": poison.detail} if exception_fields.with_text else {})}
            _log.error("poison", exc_info=poison.__cause__, extra={"fields": fields})
            return EXIT_POISON, "failed"
        except Retry as retry:
            _log.warning("retry", exc_info=retry.__cause__, extra={"fields": {"reason": retry.reason}})
            return EXIT_RETRY, "failed"
        except KeyboardInterrupt:
            return EXIT_RETRY, "interrupted"
        except BaseException as error:
            # A command line that became a handler may leave by sys.exit, which is an end like any other.
            if not (isinstance(error, SystemExit) and error.code in (None, 0)):
                _log.exception("handler_failed")
                return EXIT_RETRY, "failed"
        return EXIT_DONE, "done"

    def _recorded(self, claims: Claims) -> bool:
        """Record the effect; False if another run has taken over.

        A store that does not answer is asked again, also while the task stops, as far as there is time. At last the run
        counts as done: it is, and another try would do it again. Its claim is left to lapse, so that no run begins at
        once.
        """
        for pause in (*_COMPLETION_PAUSES, None):
            try:
                return claims.complete(self._task.idempotency_key, owner=self._owner)
            except Exception:
                _log.warning("complete_failed", exc_info=True)
            if pause is None or self._interruption.seconds_left < pause + _LAST_WORDS:
                break
            self._wait(pause)
        _log.error("effect_not_recorded")
        self._held.remove(self._task.idempotency_key)
        return True

    def _release_all(self) -> None:
        while self._held:
            self._release(self._held.pop())

    def _release(self, key: str) -> None:
        """Release the key, so that the next run can claim it at once; releasing a completed key changes nothing."""
        try:
            if self._claims:
                self._claims.release(key, owner=self._owner)
        except Exception:
            _log.warning("release_failed", exc_info=True)


@dataclass(frozen=True, kw_only=True)
class _Held:
    """Why a run may not begin: the work is done, or another run has the claim for so many seconds at most."""

    state: str
    seconds_left: float
    is_of_another_time: bool = False


def _handled(handle: Callable[[Task], object], task: Task) -> None:
    try:
        resolve(handle(task), wait=_run_to_the_end)
    except BaseException as error:
        if (plain := with_plain_values(error)) is error:
            raise
        raise plain from error


def _run_to_the_end(work: Awaitable[object]) -> object:
    # Two megabytes that most tasks do not need.
    import asyncio  # noqa: PLC0415

    async def run() -> object:
        return await work

    if asyncio.isfuture(work):
        if work.done():
            return work.result()
        raise HandlerRefused("The handler returned a Future of another event loop; wait for it there.")
    return asyncio.run(run())


def _renew(claims: Claims, keys: Sequence[str], owner: str) -> None:
    for key in keys:
        if not claims.renew(key, owner=owner, seconds=LEASE_SECONDS):
            _log.warning("lease_lost", extra={"fields": {"claim": key}})


def _schedule(environment: Mapping[str, str]) -> Schedule:
    scheduled_time = text(environment, "SCHEDULED_TIME")
    try:
        at = datetime.fromisoformat(scheduled_time)
    except ValueError:
        raise SettingsError(
            f"SCHEDULED_TIME is {scheduled_time!r}; make it an ISO 8601 time such as 2026-01-31T12:00:00Z."
        ) from None
    return Schedule(
        name=text(environment, "SCHEDULE_NAME"), scheduled_time=at, run_id=environment.get("SCHEDULE_RUN_ID", "")
    )


def _object(environment: Mapping[str, str]) -> ObjectCreated:
    size = environment.get("OBJECT_SIZE", "")
    return ObjectCreated(
        bucket=text(environment, "OBJECT_BUCKET"),
        key=text(environment, "OBJECT_KEY"),
        version_id=environment.get("OBJECT_VERSION_ID") or None,
        sequencer=environment.get("OBJECT_SEQUENCER", ""),
        size=int(size) if size.isdigit() else 0,
        etag=environment.get("OBJECT_ETAG", "").strip('"'),
    )
