"""`lambda_handler`: what Lambda calls with each batch of messages, and what it answers."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from fargate_workers_runtime.brokers import Delivery
from fargate_workers_runtime.brokers.function import deliveries_of
from fargate_workers_runtime.errors import EventError, SettingsError
from fargate_workers_runtime.handlers import Body, Gate, Handler, KeyOf, refuse_generators
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import Metrics, logs

if TYPE_CHECKING:
    from fargate_workers_runtime.function.fed_worker import FedWorker

_log = logging.getLogger(__name__)

#: Left of the invocation when leases end, in seconds: to answer. Three more are left when handlers must have ended.
_ANSWER_SECONDS = 2.0

#: Lambda sets it where a function runs.
_IN_LAMBDA = "AWS_LAMBDA_RUNTIME_API"


class Context(Protocol):
    """An invocation, as Lambda describes it."""

    def get_remaining_time_in_millis(self) -> int: ...


class _Item(TypedDict):
    itemIdentifier: str


class Answer(TypedDict):
    """A partial batch response: Lambda deletes every message of the batch but those in it."""

    batchItemFailures: list[_Item]


class Function:
    """A function that handles the messages of its invocations as a worker does.

    A worker is made for the first invocation and kept for the next ones. It is replaced when it has ended, or a store
    that it needs does not work: no thread of it goes on while nothing is invoked.

    Args:
        open_worker: Makes a worker.
        settings: The settings of the worker.
        metrics: Its metrics, written at the end of each invocation: the environment may never be continued.
        exit_process: Ends the environment, which Lambda replaces.
    """

    def __init__(
        self,
        open_worker: "Callable[[], FedWorker]",
        *,
        settings: Settings,
        metrics: Metrics,
        exit_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._open_worker = open_worker
        self._metrics = metrics
        self._exit_process = exit_process
        self._queue_name = settings.queue_url.rsplit("/", 1)[-1]
        self._lock = threading.Lock()
        self._current: FedWorker | None = None
        self._hung: list[FedWorker] = []
        self._under_way = 0

    def prepare(self) -> None:
        """Open the worker before the first invocation."""
        self._current = self._open_worker()

    def __call__(self, event: object, context: Context) -> Answer:
        """Handle one batch.

        Args:
            event: The event, as the queue's event source mapping writes it.
            context: The invocation, as Lambda describes it.

        Raises:
            EventError: It is no event of the queue. All its messages come back.
        """
        until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _ANSWER_SECONDS
        try:
            deliveries = deliveries_of(event, queue_name=self._queue_name)
        except EventError as error:
            _log.error("event_refused: %s", error)
            logs.flush()
            raise
        worker = self._begin()
        try:
            failed = worker.handle(deliveries, until=until) if worker else self._turn_away(deliveries)
        finally:
            self._end(worker)
            self._metrics.flush()
            logs.flush()
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

    def _begin(self) -> "FedWorker | None":
        """The worker for an invocation; None while a handler that was given up is still at work here."""
        with self._lock:
            self._hung = [each for each in self._hung if each.runs]
            if not self._hung:
                if self._current is None or not self._current.usable:
                    self._current = self._open_worker()
                self._current.invocations += 1
            self._under_way += 1
            return None if self._hung else self._current

    def _end(self, worker: "FedWorker | None") -> None:
        with self._lock:
            self._under_way -= 1
            if worker is None:
                return
            worker.invocations -= 1
            if worker.usable or worker.invocations:
                return
            if self._current is worker:
                self._current = None
        worker.retire()
        if worker.runs:
            with self._lock:
                self._hung.append(worker)

    def _turn_away(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Release all, and end the environment: what hangs here would go on during this invocation."""
        _log.error("environment_replaced: a handler that was given up is still at work")
        worker = self._open_worker()
        worker.release(deliveries)
        with self._lock:
            alone = self._under_way == 1
        if alone:
            logs.flush()
            self._exit_process(1)
        worker.retire()
        return [each.id for each in deliveries]


def lambda_handler(
    handle: Handler,
    *,
    schema: Mapping[str, Any] | None = None,
    idempotency_key: KeyOf | None = None,
    body: Body = "json",
) -> Callable[[Any, Any], Answer]:
    """The handler of a Lambda function on the worker's queue: a line next to `run`, with the same arguments.

    Each invocation handles its batch as a worker does, CONCURRENCY messages at a time, and reports those that failed.
    A message that can never succeed goes to the dead-letter queue at its first delivery, with its reason. A handler has
    MAX_PROCESSING_SECONDS, and no longer than until 5 seconds before the function's time-out.

    Nothing is read or opened before Lambda runs the module, so that the line costs a worker next to nothing.

    Args:
        handle: As for `run`.
        schema: As for `run`. Default: none.
        idempotency_key: As for `run`. Default: the message's id.
        body: As for `run`. Default: "json".

    Example:
        >>> handler = lambda_handler(print, idempotency_key="/order_id")
    """
    making = threading.Lock()
    made: list[Function] = []

    def function() -> Function:
        with making:
            if not made:
                made.append(_function(handle, schema=schema, idempotency_key=idempotency_key, body=body))
            return made[0]

    if _IN_LAMBDA in os.environ:
        function().prepare()  # where Lambda lends more CPU than an invocation has

    def handler(event: Any, context: Any) -> Answer:
        return function()(event, context)

    return handler


def _function(
    handle: Handler, *, schema: Mapping[str, Any] | None, idempotency_key: KeyOf | None, body: Body
) -> Function:
    # What takes boto3 and the worker's parts is loaded here: a worker's module has this line, too.
    from fargate_workers_runtime.function.opening import open_worker  # noqa: PLC0415
    from fargate_workers_runtime.process import begin_log  # noqa: PLC0415

    begin_log()
    settings = replace(Settings.from_environment(os.environ), health_file=None, receivers=1, max_messages=0)
    if settings.broker != "sqs":
        raise SettingsError(f"BROKER is {settings.broker!r}, and a function drains a queue of SQS; let it be sqs.")
    refuse_generators(handle)
    gate = Gate(schema, idempotency_key=idempotency_key, max_bytes=settings.max_message_bytes, body=body)
    metrics = Metrics(settings.worker_name)
    if idempotency_key is None and settings.claim_store != "none":
        _log.warning("claims_by_message_id: a redrive gives a message a new id; set idempotency_key to a business id")
    return Function(lambda: open_worker(handle, gate, settings, metrics), settings=settings, metrics=metrics)
