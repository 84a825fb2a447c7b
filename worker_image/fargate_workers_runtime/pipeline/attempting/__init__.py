"""Attempting: when a message begins, whether it runs alone, how often it is tried, and what an attempt decides."""

from fargate_workers_runtime.pipeline.attempting.attempts import Attempts
from fargate_workers_runtime.pipeline.attempting.isolation import Isolation
from fargate_workers_runtime.pipeline.attempting.patience import Memory
from fargate_workers_runtime.pipeline.attempting.turns import Turns

__all__ = [
    "Attempts",
    "Isolation",
    "Memory",
    "Turns",
]
