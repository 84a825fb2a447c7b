"""The service or the function that drains a source of work."""

from fargate_workers.workers.checks import Pacing
from fargate_workers.workers.queue_function import QueueFunction
from fargate_workers.workers.queue_worker import QueueWorker

__all__ = ["Pacing", "QueueFunction", "QueueWorker"]
