"""Queues of SQS, and who may send to them."""

from fargate_workers.sources.sqs.consumers import Consumer, consume
from fargate_workers.sources.sqs.delivery_log import log_failed_deliveries
from fargate_workers.sources.sqs.events import FilterOn, receive_objects, subscribe
from fargate_workers.sources.sqs.sns_topic import is_of_another_account
from fargate_workers.sources.sqs.worker_queue import Queue, WorkerQueue, queue_source, work_source

__all__ = [
    "Consumer",
    "FilterOn",
    "Queue",
    "WorkerQueue",
    "consume",
    "is_of_another_account",
    "log_failed_deliveries",
    "queue_source",
    "receive_objects",
    "subscribe",
    "work_source",
]
