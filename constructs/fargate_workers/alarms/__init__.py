"""What an alarm is, who receives it and what to do then; which alarms exist, its `catalogue` says.

Definitions are values: each says what it watches, when it is raised, and what it means. Numbers carry their reason.
What to do about an alarm is in its runbook.
"""

from fargate_workers.alarms import runbooks
from fargate_workers.alarms.alarm_definition import RUNBOOKS, AlarmDefinition, Metric
from fargate_workers.alarms.alerts import Alerts, Subscription, undelivered_queue
from fargate_workers.alarms.cloudwatch_alarm import AlarmActions, add_alarm, describe
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
    "describe",
    "dimensions",
    "metric_queries",
    "runbooks",
    "undelivered_queue",
]
