"""What an alarm is, which alarms exist, who receives them and what to do then.

Definitions are values: each says what it watches, when it is raised, and what it means. Numbers carry their reason.
What to do about an alarm is in its runbook.
"""

from fargate_workers.alarms import runbooks
from fargate_workers.alarms.alarm import AlarmActions, add_alarm, describe
from fargate_workers.alarms.alarm_definition import RUNBOOKS, AlarmDefinition, Metric
from fargate_workers.alarms.alerts import Alerts, Subscription, undelivered_queue
from fargate_workers.alarms.database_alarms import database_alarms
from fargate_workers.alarms.delivery_alarms import event_target_alarms, topic_alarms, undelivered_events_alarm
from fargate_workers.alarms.function_alarms import redrive_alarms, scaling_planner_alarms
from fargate_workers.alarms.metric_queries import dimensions, metric_queries
from fargate_workers.alarms.mutes import MuteWindow
from fargate_workers.alarms.outbox_alarms import outbox_alarms
from fargate_workers.alarms.queue_alarms import (
    dead_letter_alarms,
    of_quiet_groups,
    queue_attributes_command,
    queue_metric,
    redrive_command,
    work_queue_alarms,
)
from fargate_workers.alarms.queue_function_alarms import queue_function_alarms
from fargate_workers.alarms.store_alarms import redis_alarms
from fargate_workers.alarms.stream_alarms import cache_command, observed_metric, observer_alarms, redis_source_alarms
from fargate_workers.alarms.task_alarms import scheduled_task_alarms
from fargate_workers.alarms.topic_alarms import consumer_group_alarms, describe_topic_command, group_metric
from fargate_workers.alarms.worker_alarms import handler_failing_alarm, worker_alarms

__all__ = [
    "RUNBOOKS",
    "AlarmActions",
    "AlarmDefinition",
    "Alerts",
    "Metric",
    "MuteWindow",
    "Subscription",
    "add_alarm",
    "cache_command",
    "consumer_group_alarms",
    "database_alarms",
    "dead_letter_alarms",
    "describe",
    "describe_topic_command",
    "dimensions",
    "event_target_alarms",
    "group_metric",
    "handler_failing_alarm",
    "metric_queries",
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
    "runbooks",
    "scaling_planner_alarms",
    "scheduled_task_alarms",
    "topic_alarms",
    "undelivered_events_alarm",
    "undelivered_queue",
    "work_queue_alarms",
    "worker_alarms",
]
