"""Chooses between systems of messages: a workload in; what can carry it, what cannot, and what it costs, out."""

from fargate_workers_toolkit.choosing.choose import Choice, Offer, choose
from fargate_workers_toolkit.choosing.gauges import Gauge, Limit, Obstacle, number
from fargate_workers_toolkit.choosing.quantities import messages_a_day, seconds, size
from fargate_workers_toolkit.choosing.system import System
from fargate_workers_toolkit.choosing.table import described, notes, show
from fargate_workers_toolkit.choosing.workers import Worker
from fargate_workers_toolkit.choosing.workload import Losing, Ordering, Sending, Workload

__all__ = [
    "Choice",
    "Gauge",
    "Limit",
    "Losing",
    "Obstacle",
    "Offer",
    "Ordering",
    "Sending",
    "System",
    "Worker",
    "Workload",
    "choose",
    "described",
    "messages_a_day",
    "notes",
    "number",
    "seconds",
    "show",
    "size",
]
