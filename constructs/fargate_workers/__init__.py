"""Queue workers, scheduled tasks and event-driven tasks on AWS Fargate, as AWS CDK constructs."""

from fargate_workers._acknowledge import COMPLIANCE_PACKS, acknowledge
from fargate_workers.alerts import Alerts, Subscription
from fargate_workers.availability_zones import set_availability_zones
from fargate_workers.container_image import worker_image
from fargate_workers.dashboard import Dashboard
from fargate_workers.dead_letter_redrive import DeadLetterRedrive
from fargate_workers.deduplication_table import DeduplicationTable
from fargate_workers.event_bridge import switch_on_event_bridge
from fargate_workers.object_created_task import ObjectCreatedTask
from fargate_workers.queue_worker import QueueWorker
from fargate_workers.redis_cache import RedisCache
from fargate_workers.scaling import Scaling
from fargate_workers.scheduled_task import ScheduledTask
from fargate_workers.worker_cluster import WorkerCluster
from fargate_workers.worker_queue import WorkerQueue
from fargate_workers.worker_task import WorkerTask

__all__ = [
    "COMPLIANCE_PACKS",
    "Alerts",
    "Dashboard",
    "DeadLetterRedrive",
    "DeduplicationTable",
    "ObjectCreatedTask",
    "QueueWorker",
    "RedisCache",
    "Scaling",
    "ScheduledTask",
    "Subscription",
    "WorkerCluster",
    "WorkerQueue",
    "WorkerTask",
    "acknowledge",
    "set_availability_zones",
    "switch_on_event_bridge",
    "worker_image",
]
