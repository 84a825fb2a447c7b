"""Pause and resume of a worker, whatever runs it."""

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.pauses.functions import pause_function, resume_function
from fargate_workers_toolkit.operations.pauses.pause import Pause
from fargate_workers_toolkit.operations.pauses.services import pause_service, resume_service
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import FunctionWorker, Worker, a_service

_NEITHER = "it can be neither paused nor resumed"


def pause(aws: Aws, worker: Worker, *, by: str, why: str, until: float | None, clock: Clock) -> Pause:
    """Stop a worker until somebody resumes it. What it has begun ends first.

    Args:
        aws: Its AWS.
        worker: The worker.
        by: Who pauses it.
        why: Why.
        until: Until when it is meant to last, in seconds since 1970. None: no end.
        clock: The time.

    Returns:
        The pause; of a service, with the numbers that a resume restores.

    Raises:
        OperationsError: AWS refuses.
    """
    if isinstance(worker, FunctionWorker):
        return pause_function(aws, worker, by=by, why=why, until=until, clock=clock)
    return pause_service(aws, a_service(worker, otherwise=_NEITHER), by=by, why=why, until=until, clock=clock)


def resume(aws: Aws, worker: Worker) -> Pause:
    """Let a paused worker go on.

    Args:
        aws: Its AWS.
        worker: The worker.

    Returns:
        The pause that ended; of a service, with the numbers that were restored.

    Raises:
        OperationsError: It is not paused, or AWS refuses.
    """
    if isinstance(worker, FunctionWorker):
        return resume_function(aws, worker)
    return resume_service(aws, a_service(worker, otherwise=_NEITHER))
