"""The entry points: what the process of a container is started with, a file for each kind of process.

Names load on first use: each kind needs modules that another must not pay for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fargate_workers_runtime.entry_points.relay import run_relay
    from fargate_workers_runtime.entry_points.task import ObjectCreated, Schedule, Task, run_task
    from fargate_workers_runtime.entry_points.worker import run, run_once

_HOMES = {
    "ObjectCreated": "task",
    "Schedule": "task",
    "Task": "task",
    "run": "worker",
    "run_once": "worker",
    "run_relay": "relay",
    "run_task": "task",
}

__all__ = ["ObjectCreated", "Schedule", "Task", "run", "run_once", "run_relay", "run_task"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
