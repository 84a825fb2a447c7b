"""Kafka topics and their dead-letter topics."""

from fargate_workers_toolkit.operations.sources.kafka.cluster import KafkaCluster
from fargate_workers_toolkit.operations.sources.kafka.letters import KafkaDeadLetters
from fargate_workers_toolkit.operations.sources.kafka.topic import KafkaSource

__all__ = ["KafkaCluster", "KafkaDeadLetters", "KafkaSource"]
