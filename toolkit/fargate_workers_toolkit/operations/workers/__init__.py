"""Deployed workers: found by their tags, and what AWS knows of them."""

from fargate_workers_toolkit.operations.workers.finding import (
    describe_services,
    find_worker,
    find_workers,
    nothing_deployed,
    service_of,
    task_settings,
)
from fargate_workers_toolkit.operations.workers.worker import Scaling, ServiceState, TaskSettings, Worker

__all__ = [
    "Scaling",
    "ServiceState",
    "TaskSettings",
    "Worker",
    "describe_services",
    "find_worker",
    "find_workers",
    "nothing_deployed",
    "service_of",
    "task_settings",
]
