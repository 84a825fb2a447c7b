"""What an alarm is, which alarms exist, who receives them and what to do then.

Definitions are values: each says what it watches, when it is raised, and what it means. Numbers carry their reason.
What to do about an alarm is in its runbook.
"""

from fargate_workers.alarms import runbooks
from fargate_workers.alarms.alarm import AlarmActions, add_alarm, describe
from fargate_workers.alarms.alarm_definition import RUNBOOKS, AlarmDefinition, Metric
from fargate_workers.alarms.alerts import Alerts, Subscription, undelivered_queue
from fargate_workers.alarms.catalogue import (
    cache_command,
    consumer_group_alarms,
    database_alarms,
    dead_letter_alarms,
    describe_topic_command,
    event_target_alarms,
    group_metric,
    handler_failing_alarm,
    observed_metric,
    observer_alarms,
    of_quiet_groups,
    outbox_alarms,
    queue_attributes_command,
    queue_function_alarms,
    queue_metric,
    redis_alarms,
    redis_source_alarms,
    redrive_alarms,
    redrive_command,
    scaling_planner_alarms,
    scheduled_task_alarms,
    topic_alarms,
    undelivered_events_alarm,
    work_queue_alarms,
    worker_alarms,
)
from fargate_workers.alarms.metric_queries import dimensions, metric_queries
from fargate_workers.alarms.mutes import MuteWindow

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
