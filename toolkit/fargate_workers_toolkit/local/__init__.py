"""The whole system on one machine: the synthesized stacks, deployed into an embedded AWS on loopback.

Names load on first use: the embedded AWS lives in this room, and in an environment of its own, which has no rich.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fargate_workers_toolkit.local import lifecycle, scenarios
    from fargate_workers_toolkit.local.account import DEFAULT_ACCOUNT
    from fargate_workers_toolkit.local.app import Selection, items_of, show
    from fargate_workers_toolkit.local.embedded_aws import running
    from fargate_workers_toolkit.local.exclusive import exclusive_use
    from fargate_workers_toolkit.local.scenarios import (
        Check,
        Mail,
        Mailbox,
        Report,
        RunningSystem,
        TaskProcess,
        check,
        check_same,
    )
    from fargate_workers_toolkit.local.workspace import Workspace

_HOMES = {
    "DEFAULT_ACCOUNT": "account",
    "Check": "scenarios",
    "Mail": "scenarios",
    "Mailbox": "scenarios",
    "Report": "scenarios",
    "RunningSystem": "scenarios",
    "Selection": "app",
    "TaskProcess": "scenarios",
    "Workspace": "workspace",
    "check": "scenarios",
    "check_same": "scenarios",
    "exclusive_use": "exclusive",
    "items_of": "app",
    "running": "embedded_aws",
    "show": "app",
}

__all__ = [
    "DEFAULT_ACCOUNT",
    "Check",
    "Mail",
    "Mailbox",
    "Report",
    "RunningSystem",
    "Selection",
    "TaskProcess",
    "Workspace",
    "check",
    "check_same",
    "exclusive_use",
    "items_of",
    "lifecycle",
    "running",
    "scenarios",
    "show",
]


def __getattr__(name: str) -> Any:
    if name in ("lifecycle", "scenarios"):
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
