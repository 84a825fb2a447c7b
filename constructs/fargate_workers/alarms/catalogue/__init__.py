"""Which alarms exist, in files by what they watch. Numbers carry their reason."""

from fargate_workers.alarms.catalogue.consumer_group_alarms import (
    consumer_group_alarms,
    describe_topic_command,
    group_metric,
)
from fargate_workers.alarms.catalogue.database_alarms import database_alarms
from fargate_workers.alarms.catalogue.delivery_alarms import event_target_alarms, topic_alarms, undelivered_events_alarm
from fargate_workers.alarms.catalogue.function_alarms import observer_alarms, redrive_alarms, scaling_planner_alarms
from fargate_workers.alarms.catalogue.outbox_alarms import outbox_alarms
from fargate_workers.alarms.catalogue.queue_alarms import (
    dead_letter_alarms,
    of_quiet_groups,
    queue_attributes_command,
    queue_metric,
    redrive_command,
    work_queue_alarms,
)
from fargate_workers.alarms.catalogue.queue_function_alarms import queue_function_alarms
from fargate_workers.alarms.catalogue.store_alarms import redis_alarms
from fargate_workers.alarms.catalogue.stream_alarms import (
    cache_command,
    observed_metric,
    redis_source_alarms,
)
from fargate_workers.alarms.catalogue.task_alarms import scheduled_task_alarms
from fargate_workers.alarms.catalogue.worker_alarms import handler_failing_alarm, worker_alarms

__all__ = [
    "cache_command",
    "consumer_group_alarms",
    "database_alarms",
    "dead_letter_alarms",
    "describe_topic_command",
    "event_target_alarms",
    "group_metric",
    "handler_failing_alarm",
    "observed_metric",
    "observer_alarms",
    "of_quiet_groups",
    "outbox_alarms",
    "queue_attributes_command",
    "queue_function_alarms",
    "queue_metric",
    "redis_alarms",
    "redis_source_alarms",
    "redrive_alarms",
    "redrive_command",
    "scaling_planner_alarms",
    "scheduled_task_alarms",
    "topic_alarms",
    "undelivered_events_alarm",
    "work_queue_alarms",
    "worker_alarms",
]
