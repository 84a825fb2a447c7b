"""Pauses of workers: made, remembered, ended."""

from fargate_workers_toolkit.operations.pauses.pause import Pause, changed_since, pause_of
from fargate_workers_toolkit.operations.pauses.pausing import KINDS, drain, pause, resume

__all__ = ["KINDS", "Pause", "changed_since", "drain", "pause", "pause_of", "resume"]
