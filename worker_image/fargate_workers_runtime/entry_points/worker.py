"""`run`, the entry point of a worker: it reads the environment, builds the parts and turns signals into a drain."""

import logging
import os
from collections.abc import Mapping
from contextlib import ExitStack, closing
from typing import Any, NoReturn

from fargate_workers_runtime.brokers import Broker
from fargate_workers_runtime.claims import Claims, Effects, open_claims
from fargate_workers_runtime.extras import extra
from fargate_workers_runtime.handlers import Body, Gate, Handler, KeyOf, refuse_generators
from fargate_workers_runtime.opening import Database, open_broker, open_database
from fargate_workers_runtime.process import (
    PROCESS,
    Protection,
    SharedProtection,
    ecs_agent,
    end,
    end_with_parent,
    health_lock,
    is_wanted,
    pod_deletion_cost,
    starting,
    supervise,
)
from fargate_workers_runtime.redis import Limiter
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.signals import on_stop
from fargate_workers_runtime.telemetry import Metrics
from fargate_workers_runtime.worker import Worker

_log = logging.getLogger(__name__)


def run(
    handle: Handler,
    *,
    schema: Mapping[str, Any] | None = None,
    idempotency_key: KeyOf | None = None,
    body: Body = "json",
) -> NoReturn:
    """The worker process: it drains the queue in the environment until SIGTERM, and exits.

    Exit codes: 0 drained, 1 to be replaced, 2 wrong settings or handler.

    Args:
        handle: Called with one Message at a time in each of CONCURRENCY threads; a coroutine function runs on an event
            loop instead, as many at a time. It returns when the effect is done; what it returns is ignored, unless it
            is work that remains to be done (docs/worker/promises.md). It raises PoisonMessage for a message that can
            never succeed; anything else it raises means: later.
        schema: JSON Schema that a payload must satisfy; what does not goes to the dead-letter queue. Default: none.
        idempotency_key: JSON pointer to the business id, `"/order_id"`, or a function of the message. With claims (see
            docs/worker/promises.md), one key has one effect, across redeliveries, redrives and producers' retries.
            Default: the message's id, which a redrive changes, so that claims would not see it again.
        body: What `message.body` is: parsed JSON, the text as it was sent ("text"), or what its base64 stands for
            ("bytes"). The last two take no schema and no JSON pointer. Default: "json".

    Example:
        >>> run(handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")  # doctest: +SKIP
    """
    with starting():
        settings = Settings.from_environment(os.environ)
        if settings.health_file and PROCESS not in os.environ and os.environ.keys() >= {"HEALTH_FILE", "ECS_AGENT_URI"}:
            health_lock.hold(settings.health_file)  # in a task; elsewhere, workers may well share the default
        if is_wanted(settings, os.environ):
            end(supervise(settings))
        refuse_generators(handle)
        gate = Gate(schema, idempotency_key=idempotency_key, max_bytes=settings.max_message_bytes, body=body)
        metrics = Metrics(settings.worker_name)
        broker = open_broker(settings, metrics)
        database = open_database(settings, metrics)
        worker = _worker(handle, gate, broker, database, settings, metrics)
    if idempotency_key is None and settings.claim_store != "none":
        _log.warning("claims_by_message_id: a redrive gives a message a new id; set idempotency_key to a business id")
    on_stop(worker.request_stop)
    end_with_parent(os.environ, worker.request_stop)
    with ExitStack() as opened:
        opened.enter_context(closing(broker))
        if database:
            opened.callback(database.close)
        code = worker.run(until_empty=settings.until_empty)
    end(code)


def run_once(
    handle: Handler,
    *,
    queue: Broker,
    claims: Claims | None = None,
    effects: Effects | None = None,
    schema: Mapping[str, Any] | None = None,
    idempotency_key: KeyOf | None = None,
    body: Body = "json",
    settings: Settings | None = None,
) -> int:
    """The whole worker, once, for a test or a shell: it handles what `queue` delivers now and returns the exit code.

    Args:
        handle: As for `run`.
        queue: The broker that is drained, e.g. a `MemoryQueue`.
        claims: The claims of idempotency keys, e.g. `MemoryClaims`. Default: none.
        effects: Where handlers claim keys themselves, with `message.effect_in`. Default: nowhere.
        schema: As for `run`. Default: none.
        idempotency_key: As for `run`. Default: the message's id.
        body: As for `run`. Default: "json".
        settings: The worker's settings. Default: those of a worker named `once` that does not wait for messages.

    Example:
        >>> from fargate_workers_runtime.testing import MemoryQueue
        >>> queue = MemoryQueue([{"order_id": "1"}, {"order_id": 2}])
        >>> run_once(lambda message: None, queue=queue, schema={"properties": {"order_id": {"type": "string"}}})
        0
        >>> [letter.reason for letter in queue.dead_letters]
        ['schema: /properties/order_id/type']
    """
    quiet = settings or Settings(worker_name="once", queue_url="memory", receive_wait=0, health_file=None)
    gate = Gate(schema, idempotency_key=idempotency_key, max_bytes=quiet.max_message_bytes, body=body)
    metrics = Metrics(quiet.worker_name, write=lambda _line: None)
    worker = Worker(handle, gate=gate, broker=queue, claims=claims, effects=effects, settings=quiet, metrics=metrics)
    return worker.run(until_empty=True)


def _worker(
    handle: Handler, gate: Gate, broker: Broker, database: Database | None, settings: Settings, metrics: Metrics
) -> Worker:
    return Worker(
        handle,
        gate=gate,
        broker=broker,
        settings=settings,
        claims=open_claims(scope=settings.claims_scope or settings.worker_name, connections=settings.concurrency + 2),
        limiter=_limiter(settings),
        metrics=metrics,
        protection=protection_of(settings),
        effects=database.effects if database else None,
        tickers=database.tickers if database else (),
    )


def _limiter(settings: Settings) -> Limiter | None:
    if settings.rate_limit == 0:
        return None
    # Imported where they are used: a worker without Redis neither installs nor loads it.
    with extra():
        from fargate_workers_runtime.redis import TokenBucket, connect_redis  # noqa: PLC0415

    return TokenBucket(connect_redis(os.environ), settings.worker_name, rate=settings.rate_limit)


def protection_of(settings: Settings) -> Protection | None:
    """What keeps the task or the pod while a handler runs that may outlive its stop; None where none may, or elsewhere.

    Args:
        settings: The settings of the worker.
    """
    if settings.max_processing <= settings.drain_seconds:
        return None  # every handler ends within the stop timeout
    agent = os.environ.get("ECS_AGENT_URI")
    put = ecs_agent(agent) if agent else pod_deletion_cost(os.environ)
    if put is None:
        return None  # neither a task nor a pod
    if PROCESS in os.environ and settings.health_file:  # one of several processes, or followed by the next
        put = SharedProtection(put, settings.health_file.with_name("busy"))
    # A container that starts again in its pod finds the cost of the one before it.
    left_on = not agent or (isinstance(put, SharedProtection) and put.left_on)
    return Protection(put, drain=settings.drain_seconds, longest=settings.max_processing, left_on=left_on)
