"""`run`: what a worker's module calls. It reads the environment, builds the parts, and turns signals into a drain."""

import logging
import math
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from fargate_workers_runtime.claims import Claims
from fargate_workers_runtime.clients import dynamodb_client, sqs_client
from fargate_workers_runtime.dynamodb_claims import DynamoDbClaims
from fargate_workers_runtime.gate import Gate, KeyOf
from fargate_workers_runtime.metrics import Metrics
from fargate_workers_runtime.protection import Protection, ecs_agent
from fargate_workers_runtime.queue import Queue
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.sqs_queue import SqsQueue
from fargate_workers_runtime.starting import starting
from fargate_workers_runtime.worker import Handler, Worker

_log = logging.getLogger(__name__)


def run(handle: Handler, *, schema: Mapping[str, Any] | None = None, idempotency_key: KeyOf | None = None) -> NoReturn:
    """Drain the queue in the environment until SIGTERM; exit 0 drained, 1 to be replaced, 2 wrong environment.

    Args:
        handle: Called with one Message at a time in each of CONCURRENCY threads. It returns when the effect is done. It
            raises PoisonMessage for a message that can never succeed; anything else it raises means: later.
        schema: JSON Schema that a payload must satisfy; what does not goes to the dead-letter queue. Default: none.
        idempotency_key: JSON pointer to the business id, `"/order_id"`, or a function of the message. With
            CLAIMS_TABLE_NAME set, one key has one effect, across redeliveries, redrives and producers' retries.
            Default: the message's id, which a redrive changes, so that claims would not see it again.

    Example:
        >>> run(handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")  # doctest: +SKIP
    """
    with starting():
        worker = _worker(handle, Gate(schema, idempotency_key=idempotency_key), Settings.from_environment(os.environ))
    if idempotency_key is None and os.environ.get("CLAIMS_TABLE_NAME"):
        _log.warning("claims_by_message_id: a redrive gives a message a new id; set idempotency_key to a business id")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, _frame: worker.request_stop(signal.Signals(signum).name))
    sys.exit(worker.run())


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
    sqs = sqs_client(longest_wait=settings.receive_wait)
    queue = SqsQueue(sqs, settings.queue_url, dead_letter_queue_url=settings.dead_letter_queue_url)
    claims = None
    if settings.claims_table_name:
        dynamodb = dynamodb_client(connections=settings.concurrency + 2)
        claims = DynamoDbClaims(dynamodb, settings.claims_table_name, scope=settings.worker_name)
    return Worker(handle, gate=gate, queue=queue, claims=claims, settings=settings, protection=_protection(settings))


def _protection(settings: Settings) -> Protection | None:
    agent = os.environ.get("ECS_AGENT_URI")
    if not agent or settings.max_processing <= settings.drain_seconds:
        return None  # every handler ends within the stop timeout
    return Protection(ecs_agent(agent), minutes=math.ceil(settings.max_processing / 60) + 1)
