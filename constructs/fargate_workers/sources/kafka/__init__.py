"""Kafka: clusters, topics, and the consumer groups by which workers drain them."""

from fargate_workers.sources.kafka.brokers import Brokers
from fargate_workers.sources.kafka.consumer_group import ConsumerGroup, GroupProtocol, Start
from fargate_workers.sources.kafka.kafka_cluster import KafkaCluster
from fargate_workers.sources.kafka.kafka_topic import KafkaTopic

__all__ = ["Brokers", "ConsumerGroup", "GroupProtocol", "KafkaCluster", "KafkaTopic", "Start"]
