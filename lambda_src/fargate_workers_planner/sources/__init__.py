"""What the planner reads of each kind of source: an SQS queue, a consumer group of Kafka, a stream or list in Redis."""

from fargate_workers_planner.sources.consumer_group import ConsumerGroup
from fargate_workers_planner.sources.observed import Observed
from fargate_workers_planner.sources.queue import Queue
from fargate_workers_planner.sources.source import Found, Seen, Source

__all__ = ["ConsumerGroup", "Found", "Observed", "Queue", "Seen", "Source"]
