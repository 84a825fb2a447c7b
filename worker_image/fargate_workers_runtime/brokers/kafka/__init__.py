"""Apache Kafka and Amazon MSK: a consumer group's member, its commits, and the topics for records that failed."""

from fargate_workers_runtime.brokers.kafka.iam_token import TokenSigner
from fargate_workers_runtime.brokers.kafka.kafka_broker import KafkaBroker
from fargate_workers_runtime.brokers.kafka.opening import open_kafka
from fargate_workers_runtime.brokers.kafka.reader import Bounds
from fargate_workers_runtime.brokers.kafka.settings import KafkaSettings

__all__ = ["Bounds", "KafkaBroker", "KafkaSettings", "TokenSigner", "open_kafka"]
