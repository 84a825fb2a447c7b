"""Pauses of workers: made, remembered, ended."""

from fargate_workers_toolkit.operations.pauses.draining import drain
from fargate_workers_toolkit.operations.pauses.pause import (
    Pause,
    ServicePause,
    changed_since,
    function_changed_since,
    function_pause_of,
    pause_of,
)
from fargate_workers_toolkit.operations.pauses.pausing import pause, resume
from fargate_workers_toolkit.operations.pauses.services import KINDS

__all__ = [
    "KINDS",
    "Pause",
    "ServicePause",
    "changed_since",
    "drain",
    "function_changed_since",
    "function_pause_of",
    "pause",
    "pause_of",
    "resume",
]
