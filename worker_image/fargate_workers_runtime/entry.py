"""`run`: what a worker's module calls. It reads the environment, builds the parts, and turns signals into a drain."""

import logging
import math
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from fargate_workers_runtime import logs
from fargate_workers_runtime.asynchronous import Handler
from fargate_workers_runtime.claim_stores import open_claims
from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.clients import sqs_client
from fargate_workers_runtime.gate import Gate, KeyOf
from fargate_workers_runtime.limiter import Limiter
from fargate_workers_runtime.metrics import Metrics
from fargate_workers_runtime.protection import Protection, ecs_agent
from fargate_workers_runtime.protection_share import shared
from fargate_workers_runtime.queue import Queue
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.sqs_queue import SqsQueue
from fargate_workers_runtime.starting import starting
from fargate_workers_runtime.supervisor import is_wanted, supervise
from fargate_workers_runtime.worker import Worker

_log = logging.getLogger(__name__)


def run(handle: Handler, *, schema: Mapping[str, Any] | None = None, idempotency_key: KeyOf | None = None) -> NoReturn:
    """Drain the queue in the environment until SIGTERM; exit 0 drained, 1 to be replaced, 2 wrong environment.

    Args:
        handle: Called with one Message at a time in each of CONCURRENCY threads; a coroutine function runs on an event
            loop instead, as many at a time. It returns when the effect is done. It raises PoisonMessage for a message
            that can never succeed; anything else it raises means: later.
        schema: JSON Schema that a payload must satisfy; what does not goes to the dead-letter queue. Default: none.
        idempotency_key: JSON pointer to the business id, `"/order_id"`, or a function of the message. With claims (see
            docs/worker.md), one key has one effect, across redeliveries, redrives and producers' retries.
            Default: the message's id, which a redrive changes, so that claims would not see it again.

    Example:
        >>> run(handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")  # doctest: +SKIP
    """
    with starting():
        settings = Settings.from_environment(os.environ)
        if is_wanted(settings, os.environ):
            _exit(supervise(settings))
        worker = _worker(handle, Gate(schema, idempotency_key=idempotency_key), settings)
    if idempotency_key is None and settings.claim_store != "none":
        _log.warning("claims_by_message_id: a redrive gives a message a new id; set idempotency_key to a business id")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: worker.request_stop(signal.Signals(signum).name))
    _exit(worker.run())


def run_once(
    handle: Handler,
    *,
    queue: Queue,
    claims: Claims | None = None,
    schema: Mapping[str, Any] | None = None,
    idempotency_key: KeyOf | None = None,
    settings: Settings | None = None,
) -> int:
    """Handle what `queue` shows now, drain and return the exit code: the whole worker, for a test or a shell.

    Example:
        >>> from fargate_workers_runtime.testing import MemoryQueue
        >>> queue = MemoryQueue([{"order_id": "1"}, {"order_id": 2}])
        >>> run_once(lambda message: None, queue=queue, schema={"properties": {"order_id": {"type": "string"}}})
        0
        >>> [letter.reason for letter in queue.dead_letters]
        ['schema: /properties/order_id/type']
    """
    quiet = settings or Settings(worker_name="once", queue_url="memory", receive_wait=0, health_file=None)
    gate = Gate(schema, idempotency_key=idempotency_key)
    metrics = Metrics(quiet.worker_name, write=lambda _line: None)
    return Worker(handle, gate=gate, queue=queue, claims=claims, settings=quiet, metrics=metrics).run(until_empty=True)


def _worker(handle: Handler, gate: Gate, settings: Settings) -> Worker:
    metrics = Metrics(settings.worker_name)
    queue = SqsQueue(
        sqs_client(longest_wait=settings.receive_wait),
        settings.queue_url,
        dead_letter_queue_url=settings.dead_letter_queue_url,
        billed=lambda requests: metrics.count("Requests", requests),
    )
    return Worker(
        handle,
        gate=gate,
        queue=queue,
        settings=settings,
        claims=open_claims(scope=settings.worker_name, connections=settings.concurrency + 2),
        limiter=_limiter(settings),
        metrics=metrics,
        protection=_protection(settings),
    )


def _limiter(settings: Settings) -> Limiter | None:
    if settings.rate_limit == 0:
        return None
    # Imported where they are used: a worker without Redis neither installs nor loads it.
    from fargate_workers_runtime.redis_connection import connect_redis  # noqa: PLC0415
    from fargate_workers_runtime.token_bucket import TokenBucket  # noqa: PLC0415

    return TokenBucket(connect_redis(os.environ), settings.worker_name, rate=settings.rate_limit)


def _protection(settings: Settings) -> Protection | None:
    agent = os.environ.get("ECS_AGENT_URI")
    if not agent or settings.max_processing <= settings.drain_seconds:
        return None  # every handler ends within the stop timeout
    put = ecs_agent(agent)
    if settings.processes > 1 and settings.health_file:
        put = shared(put, settings.health_file.with_name("busy"))
    return Protection(put, minutes=math.ceil(settings.max_processing / 60) + 1)


def _exit(code: int) -> NoReturn:
    logs.flush(timeout=2)
    sys.exit(code)
