"""The start, the protection and the end of the process and its children."""

from fargate_workers_runtime.process import health_lock
from fargate_workers_runtime.process.ending import end
from fargate_workers_runtime.process.pod_deletion_cost import pod_deletion_cost
from fargate_workers_runtime.process.protection import Protection, ecs_agent
from fargate_workers_runtime.process.protection_share import SharedProtection
from fargate_workers_runtime.process.starting import EXIT_FAILED, EXIT_WRONG, begin_log, starting
from fargate_workers_runtime.process.stop_request import StopRequest
from fargate_workers_runtime.process.supervisor import PROCESS, end_with_parent, is_wanted, supervise
from fargate_workers_runtime.process.ticker import Ticker

__all__ = [
    "EXIT_FAILED",
    "EXIT_WRONG",
    "PROCESS",
    "Protection",
    "SharedProtection",
    "StopRequest",
    "Ticker",
    "begin_log",
    "ecs_agent",
    "end",
    "end_with_parent",
    "health_lock",
    "is_wanted",
    "pod_deletion_cost",
    "starting",
    "supervise",
]
