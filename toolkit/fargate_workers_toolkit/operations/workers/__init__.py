"""Deployed workers: found by their tags, and what AWS knows of them."""

from fargate_workers_toolkit.operations.workers.finding import (
    a_service,
    describe_services,
    find_one_or_all,
    find_worker,
    find_workers,
    service_of,
    task_settings,
)
from fargate_workers_toolkit.operations.workers.functions import describe_function, function_settings, settings_of
from fargate_workers_toolkit.operations.workers.worker import (
    FunctionState,
    FunctionWorker,
    Scaling,
    ServiceState,
    ServiceWorker,
    TaskSettings,
    Worker,
)

__all__ = [
    "FunctionState",
    "FunctionWorker",
    "Scaling",
    "ServiceState",
    "ServiceWorker",
    "TaskSettings",
    "Worker",
    "a_service",
    "describe_function",
    "describe_services",
    "find_one_or_all",
    "find_worker",
    "find_workers",
    "function_settings",
    "service_of",
    "settings_of",
    "task_settings",
]
