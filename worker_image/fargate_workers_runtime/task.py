"""`run_task`: one run of a scheduled task or of a task started for an S3 object.

Exit codes, which the stopped-task rule and whoever restarts the task go by:
    0   done; or not needed: done before, or being done by another run
    2   the environment is wrong
    10  failed; another try may help
    20  failed; no try can help (PoisonMessage)
"""

import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import FrameType
from typing import NoReturn

from fargate_workers_runtime import logs
from fargate_workers_runtime.claim_stores import open_claims
from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.errors import PoisonMessage, Retry, SettingsError
from fargate_workers_runtime.settings import text
from fargate_workers_runtime.starting import starting
from fargate_workers_runtime.ticker import Ticker

_log = logging.getLogger(__name__)

EXIT_DONE, EXIT_RETRY, EXIT_POISON = 0, 10, 20

#: How long a killed run keeps the next one out, in seconds; a live one renews its lease three times as often.
LEASE_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The schedule that started the task, the time it stands for, and the id of this invocation."""

    name: str
    scheduled_time: datetime
    run_id: str


@dataclass(frozen=True, kw_only=True)
class ObjectCreated:
    """The S3 object that the task was started for. `version_id` is None in a bucket without versions."""

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
        idempotency_key: The same for every run that would have the same effect.
        exclusive_key: Held while the task runs, so that runs of one schedule do not overlap; None for objects.
    """

    name: str
    idempotency_key: str
    exclusive_key: str | None = None
    schedule: Schedule | None = None
    object: ObjectCreated | None = field(default=None)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Task":
        """Read the variables that ScheduledTask and ObjectCreatedTask set.

        Raises:
            SettingsError: A variable is missing or wrong, or nothing says what started the task.
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


def run_task(handle: Callable[[Task], None]) -> NoReturn:
    """Call `handle` once with the task in the environment, and exit as the module says.

    With claims (see `open_claims`), a run of the same schedule that is still going makes this one exit 0 without work,
    and so does a run that has already done this time's, or this object's, work. SIGTERM (a Spot interruption) ends the
    run with 10, its claim freed.

    Example:
        >>> run_task(report)  # doctest: +SKIP
    """
    with starting():
        task = Task.from_environment(os.environ)
        claims = open_claims(scope=task.name)
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(run_claimed(handle, task, claims))


def run_claimed(handle: Callable[[Task], None], task: Task, claims: Claims | None) -> int:
    """One run under `claims`; returns the exit code."""
    began = time.monotonic()
    with logs.log_context(key=task.idempotency_key):
        code, event = _run(handle, task, claims)
        _log.info(event, extra={"fields": {"exit_code": code, "seconds": round(time.monotonic() - began, 3)}})
    return code


def _run(handle: Callable[[Task], None], task: Task, claims: Claims | None) -> tuple[int, str]:
    if claims is None:
        return _call(handle, task)
    owner = uuid.uuid4().hex
    # The schedule first: whoever holds it may look at this time's claim without another run between.
    keys = [key for key in (task.exclusive_key, task.idempotency_key) if key]
    held: list[str] = []
    try:
        for key in keys:
            claim = claims.claim(key, owner=owner, seconds=LEASE_SECONDS)
            if claim.state != "granted":
                return EXIT_DONE, "duplicate" if claim.state == "completed" else "skipped_other_run"
            held.append(key)
        renewal = Ticker("renewal", seconds=LEASE_SECONDS / 3, action=lambda: _renew(claims, held, owner))
        renewal.start()
        try:
            code, event = _call(handle, task)
        finally:
            renewal.stop()
        if code == EXIT_DONE and not claims.complete(task.idempotency_key, owner=owner):
            return EXIT_RETRY, "fenced"
        return code, event
    except Exception:
        _log.exception("claims_failed")
        return EXIT_RETRY, "failed"
    finally:
        # Releasing a completed key changes nothing.
        for key in held:
            claims.release(key, owner=owner)


def _call(handle: Callable[[Task], None], task: Task) -> tuple[int, str]:
    try:
        handle(task)
    except PoisonMessage as poison:
        _log.error("poison", extra={"fields": {"reason": poison.reason, "detail": poison.detail}})
        return EXIT_POISON, "failed"
    except Retry as retry:
        _log.warning("retry", extra={"fields": {"reason": retry.reason}})
        return EXIT_RETRY, "failed"
    except _Interrupted:
        return EXIT_RETRY, "interrupted"
    except Exception:
        _log.exception("handler_failed")
        return EXIT_RETRY, "failed"
    return EXIT_DONE, "done"


class _Interrupted(BaseException):
    """SIGTERM, raised where the handler is; no `except Exception` of a handler swallows it."""


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not break off the clean-up
    raise _Interrupted


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
