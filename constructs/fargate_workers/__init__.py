"""Queue workers, scheduled tasks and event-driven tasks on AWS Fargate, as AWS CDK constructs."""

import os

# Before the CDK starts its kernel: on Node 20, which works, it prints eleven lines of warning at every run.
os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

from fargate_workers.alarms import Alerts, MuteWindow, Subscription
from fargate_workers.cloudformation import switch_on_event_bridge
from fargate_workers.cluster import StoppedTasks, WorkerCluster, set_availability_zones
from fargate_workers.compliance import (
    COMPLIANCE_PACKS,
    acknowledge,
    acknowledge_cfn_lint,
    acknowledge_checkov,
)
from fargate_workers.errors import ConfigurationError
from fargate_workers.operations import Dashboard, DeadLetterRedrive, OperatorAccess, ReaderAccess
from fargate_workers.scaling import Scaling
from fargate_workers.sources.kafka import Brokers, KafkaCluster, KafkaTopic
from fargate_workers.sources.redis import RedisList, RedisStream
from fargate_workers.sources.sqs import WorkerQueue
from fargate_workers.stores import Database, DeduplicationTable, RedisCache
from fargate_workers.tasks import ObjectCreatedTask, ScheduledTask, WorkerTask, worker_image
from fargate_workers.workers import QueueFunction, QueueWorker

__version__ = "0.1.0"

__all__ = [
    "COMPLIANCE_PACKS",
    "Alerts",
    "Brokers",
    "ConfigurationError",
    "Dashboard",
    "Database",
    "DeadLetterRedrive",
    "DeduplicationTable",
    "KafkaCluster",
    "KafkaTopic",
    "MuteWindow",
    "ObjectCreatedTask",
    "OperatorAccess",
    "QueueFunction",
    "QueueWorker",
    "ReaderAccess",
    "RedisCache",
    "RedisList",
    "RedisStream",
    "Scaling",
    "ScheduledTask",
    "StoppedTasks",
    "Subscription",
    "WorkerCluster",
    "WorkerQueue",
    "WorkerTask",
    "acknowledge",
    "acknowledge_cfn_lint",
    "acknowledge_checkov",
    "set_availability_zones",
    "switch_on_event_bridge",
    "worker_image",
]
