"""Lines and numbers that leave the process."""

from fargate_workers_runtime.telemetry import logs
from fargate_workers_runtime.telemetry.exception_fields import exception_fields
from fargate_workers_runtime.telemetry.logs import log_context
from fargate_workers_runtime.telemetry.metrics import CountName, GaugeName, Metrics
from fargate_workers_runtime.telemetry.uncaught import log_what_nobody_catches

__all__ = [
    "CountName",
    "GaugeName",
    "Metrics",
    "exception_fields",
    "log_context",
    "log_what_nobody_catches",
    "logs",
]
