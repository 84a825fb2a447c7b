"""Sources of work: queues, and who may send to them."""

from fargate_workers.queues.consumers import Consumer, consume
from fargate_workers.queues.delivery_log import log_failed_deliveries
from fargate_workers.queues.events import FilterOn, receive_objects, subscribe
from fargate_workers.queues.from_topic import is_of_another_account
from fargate_workers.queues.source import (
    Demand,
    OperatedSource,
    PlannerInput,
    SharedSource,
    Signals,
    SourceInNetwork,
    TaskInNetwork,
    WorkSource,
)
from fargate_workers.queues.worker_queue import Queue, WorkerQueue, queue_source, work_source

__all__ = [
    "Consumer",
    "Demand",
    "FilterOn",
    "OperatedSource",
    "PlannerInput",
    "Queue",
    "SharedSource",
    "Signals",
    "SourceInNetwork",
    "TaskInNetwork",
    "WorkSource",
    "WorkerQueue",
    "consume",
    "is_of_another_account",
    "log_failed_deliveries",
    "queue_source",
    "receive_objects",
    "subscribe",
    "work_source",
]
