"""The parts of a function's worker, opened as the environment names them."""

from fargate_workers_runtime.brokers.function import InvocationBroker
from fargate_workers_runtime.brokers.sqs import SqsBroker, check_addresses
from fargate_workers_runtime.claims import open_claims
from fargate_workers_runtime.clients import prompt_sqs_client
from fargate_workers_runtime.function.fed_worker import FedWorker
from fargate_workers_runtime.handlers import Gate, Handler
from fargate_workers_runtime.opening import open_database
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.telemetry import Metrics
from fargate_workers_runtime.worker import Worker

#: A request that is not answered within a sixth of it, 2 s, must not outlast the invocation.
_PROMPT = 12


def open_worker(handle: Handler, gate: Gate, settings: Settings, metrics: Metrics) -> FedWorker:
    """A worker that invocations feed.

    Args:
        handle: The handler.
        gate: The checks before it.
        settings: The settings of the worker.
        metrics: Its metrics.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    check_addresses(settings.queue_url, settings.dead_letter_queue_url)
    queue = SqsBroker(
        prompt_sqs_client(visibility_timeout=_PROMPT, queue_url=settings.queue_url),
        settings.queue_url,
        dead_letter_queue_url=settings.dead_letter_queue_url,
        billed=lambda requests: metrics.count("Requests", requests),
    )
    broker = InvocationBroker(queue)
    database = open_database(settings, metrics)
    worker = Worker(
        handle,
        gate=gate,
        broker=broker,
        settings=settings,
        claims=open_claims(scope=settings.claims_scope or settings.worker_name, connections=settings.concurrency + 2),
        metrics=metrics,
        effects=database.effects if database else None,
        tickers=database.tickers if database else (),
        linger=0.0,  # each second in which endings gathered would be paid for
    )
    return FedWorker(worker, broker, close=database.close if database else None)
