"""Kafka: clusters, topics, and the consumer groups by which workers drain them."""

from fargate_workers.topics.brokers import Brokers
from fargate_workers.topics.consumer_group import ConsumerGroup, GroupProtocol, Start
from fargate_workers.topics.kafka_cluster import KafkaCluster
from fargate_workers.topics.kafka_topic import KafkaTopic

__all__ = ["Brokers", "ConsumerGroup", "GroupProtocol", "KafkaCluster", "KafkaTopic", "Start"]
