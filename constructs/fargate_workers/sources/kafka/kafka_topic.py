"""A topic of a Kafka cluster, which workers drain by consumer groups."""

import base64
import json
from collections.abc import Mapping
from typing import Protocol

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_msk as msk
from constructs import Construct

from fargate_workers.access import AccessibleTask
from fargate_workers.cloudformation import in_kebab_case
from fargate_workers.durations import in_seconds, in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.kafka.brokers import REPLICAS
from fargate_workers.sources.kafka.consumer_group import ConsumerGroup, GroupProtocol, Start
from fargate_workers.sources.kafka.group_source import GroupSource
from fargate_workers.sources.kafka.kafka_cluster import KafkaCluster
from fargate_workers.sources.kafka.names import check_group_name, check_topic_name, topic_arn
from fargate_workers.sources.source import Demand, TaskInNetwork

RETENTION = 7 * 86_400
DEAD_LETTER_RETENTION = 14 * 86_400
# Kafka's own bound of a batch is a little above it.
LARGEST_MESSAGE = 1024 * 1024
MOST_PARTITIONS = 4_000


class Sender(AccessibleTask, TaskInNetwork, Protocol):
    """A task that sends records: a QueueWorker or something like it."""


class KafkaTopic(Construct):
    """A Kafka topic, with a dead-letter topic for each consumer group that drains it.

        orders = KafkaTopic(self, "Orders", kafka=kafka, partitions=12)
        QueueWorker(self, "Apply", cluster=cluster, image=image, source=orders)

    Several workers may drain it: each receives every record, by a consumer group of its own, which is called like the
    worker unless `for_group` names it. Records of one key stay in one partition, hence in order. No more tasks of a
    worker can be busy than there are partitions.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        kafka: The cluster. CloudFormation makes no topics in a serverless one; see `existing`.
        partitions: The number of partitions, by which keys are spread; it can be raised later, which moves keys, and
            never lowered. A number with many divisors, such as 12 or 24, spreads evenly over most numbers of tasks.
        name: The name of the topic. Defaults to the id in lower case with hyphens: "Orders" becomes "orders".
        retention: How long a record is kept, whether or not it was handled. Defaults to 7 days.
        dead_letter_retention: How long a dead letter is kept. Defaults to 14 days.
        max_message_bytes: Bytes of the largest record. Defaults to 1 MiB.
        properties: Further properties of the topic, by Kafka's names. Defaults to none.
        removal_policy: What happens to the topic and its dead-letter topics when they leave the stack. Defaults to
            RETAIN_ON_UPDATE_OR_DELETE: they are retained, except by a first deployment that fails.

    Attributes:
        kafka: The cluster.
        topic_name: The name of the topic.
        partitions: The number of partitions.
        retention_seconds: Seconds for which a record is kept. None for an existing topic.
        max_message_bytes: Bytes of the largest record.

    Raises:
        ConfigurationError: Kafka takes no such name or number, or the cluster is serverless.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        kafka: KafkaCluster,
        partitions: int,
        name: str | None = None,
        retention: Duration | None = None,
        dead_letter_retention: Duration | None = None,
        max_message_bytes: int = LARGEST_MESSAGE,
        properties: Mapping[str, str] | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        super().__init__(scope, id)
        self._remember(id, kafka, in_kebab_case(id) if name is None else name, partitions, max_message_bytes)
        if _is_serverless(kafka):
            # https://docs.aws.amazon.com/msk/latest/developerguide/msk-topic-operations-information.html
            raise ConfigurationError(
                f"{id}: CloudFormation makes no topics in a serverless cluster; make it with a Kafka client, and name "
                "it by KafkaTopic.existing(...)."
            )
        self.retention_seconds: int | None = in_seconds(retention, RETENTION)
        self._dead_letter_retention = in_seconds(dead_letter_retention, DEAD_LETTER_RETENTION)
        for what, kept in (
            ("retention", self.retention_seconds),
            ("dead_letter_retention", self._dead_letter_retention),
        ):
            if kept < 60:
                raise ConfigurationError(f"{id}: {what} is {in_words(kept)}; keep records for 60 s or more.")
        self._removal_policy = removal_policy
        settings = {"retention.ms": str(1_000 * self.retention_seconds), **(properties or {})}
        if max_message_bytes != LARGEST_MESSAGE:
            settings["max.message.bytes"] = str(max_message_bytes)
        self._make("Topic", self.topic_name, partitions, settings)

    @staticmethod
    def existing(
        scope: Construct,
        id: str,
        *,
        kafka: KafkaCluster,
        name: str,
        partitions: int,
        dead_letter_topic: str | None = None,
        max_message_bytes: int = LARGEST_MESSAGE,
    ) -> "KafkaTopic":
        """A topic that exists already; it is used as it is.

            KafkaTopic.existing(self, "Orders", kafka=kafka, name="orders", partitions=12)

        Args:
            scope: The construct that it belongs to.
            id: The id of the construct.
            kafka: The cluster.
            name: The name of the topic.
            partitions: The number of its partitions.
            dead_letter_topic: An existing topic for the dead letters of all groups. Defaults to a new one for each
                group; required in a serverless cluster, where CloudFormation makes no topics.
            max_message_bytes: Bytes of its largest record. Defaults to 1 MiB.

        Raises:
            ConfigurationError: Kafka takes no such name or number, or the dead-letter topic is missing.
        """
        return ExistingTopic(
            scope,
            id,
            kafka=kafka,
            name=name,
            partitions=partitions,
            dead_letter_topic=dead_letter_topic,
            max_message_bytes=max_message_bytes,
        )

    def for_group(
        self,
        name: str,
        *,
        start: Start = "earliest",
        ordered: bool = True,
        retry_topic: bool = False,
        protocol: GroupProtocol = "classic",
        lease: Duration | None = None,
    ) -> ConsumerGroup:
        """A consumer group by another name, or with other options, than a worker's own.

            QueueWorker(self, "Apply", cluster=cluster, image=image, source=events.for_group("apply-orders"))

        Args:
            name: The name of the group. With another name it begins anew.
            start: Where a group without a commit begins: "earliest" handles all that is kept, "latest" loses what
                came before the first task. Defaults to "earliest".
            ordered: Whether records of a key are handled one after the other; otherwise all of a partition's at once.
                Defaults to True.
            retry_topic: Whether a record that failed moves to a topic of its own until its next attempt. Its key then
                loses its order, and is not held up. Defaults to False: it is tried again in its place, and holds up
                its key alone.
            protocol: How members share partitions: "classic", or "consumer" for Kafka 4.0 and later (KIP-848), which
                pauses fewer of them. Defaults to "classic".
            lease: After how long a claim of a process that died lapses, and with it the wait of its key; renewed while
                a handler works. Defaults to 120 s.

        Raises:
            ConfigurationError: MSK reports no lag of a group of this name, or the lease is out of its range.
        """
        check_group_name(self.node.path, name)
        if protocol == "consumer" and (version := _version(self.kafka)) is not None and version < 4:
            raise ConfigurationError(
                f'{self.node.path}: protocol is "consumer", which takes Kafka 4.0 or later; choose a later version of '
                'the brokers, or "classic".'
            )
        return ConsumerGroup(
            topic=self,
            name=name,
            start=start,
            ordered=ordered,
            retry_topic=retry_topic,
            protocol=protocol,
            lease_seconds=None if lease is None else in_seconds(lease, 0),
        )

    def for_worker(self, worker: Construct, demand: Demand) -> GroupSource:
        """The topic as one worker's source of work, by a group that is called like the worker; see `SharedSource`.

        Args:
            worker: The worker.
            demand: What it needs.

        Raises:
            ConfigurationError: MSK reports no lag of a group of this name, or it has a worker already.
        """
        return self.for_group(in_kebab_case(worker.node.id)).for_worker(worker, demand)

    def grant_send(self, task: Sender) -> None:
        """Let a task send records to the topic, and let it into the network.

        Args:
            task: A `QueueWorker`, another construct around a task, or something like it.
        """
        cluster_arn = self.kafka.cluster_arn
        task.allow(["kafka:GetBootstrapBrokers"], ["*"])
        task.allow(["kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"], [cluster_arn])
        task.allow(
            ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"], [topic_arn(cluster_arn, self.topic_name)]
        )
        self.kafka.let_in(task)

    def claim_group(self, group: str, worker: str) -> None:
        """Note which worker drains the topic by a group: two in one group would share its records.

        Args:
            group: The name of the group.
            worker: The worker's path, for the error.

        Raises:
            ConfigurationError: The group has a worker already.
        """
        if group in self._groups:
            raise ConfigurationError(
                f"{worker}: the group {group} of the topic {self.topic_name} has a worker already, "
                f"{self._groups[group]}, and two would share its records; name another one by for_group(...)."
            )
        self._groups[group] = worker

    def dead_letter_topic(self, group: str) -> str:
        """The name of the dead-letter topic of a group, which is made when first asked for.

        Args:
            group: The name of the group.
        """
        return self._beside(group, "DeadLetters", f"{self.topic_name}.{group}.dead-letters", 1)

    def retry_topic(self, group: str) -> str:
        """The name of the retry topic of a group, which is made when first asked for.

        Args:
            group: The name of the group.
        """
        return self._beside(group, "Retries", f"{self.topic_name}.{group}.retries", self.partitions)

    def _beside(self, group: str, id: str, name: str, partitions: int) -> str:
        if self.node.try_find_child(f"{id}-{group}") is None:
            check_topic_name(self.node.path, name)
            settings = {"retention.ms": str(1_000 * self._dead_letter_retention)}
            self._make(f"{id}-{group}", name, partitions, settings)
        return name

    def _remember(self, id: str, kafka: KafkaCluster, name: str, partitions: int, max_message_bytes: int) -> None:
        check_topic_name(id, name)
        if not 1 <= partitions <= MOST_PARTITIONS:
            raise ConfigurationError(f"{id}: partitions is {partitions}; use 1 to {MOST_PARTITIONS}.")
        self.kafka: KafkaCluster = kafka
        self.topic_name: str = name
        self.partitions: int = partitions
        self.max_message_bytes: int = max_message_bytes
        self._groups: dict[str, str] = {}

    def _make(self, id: str, name: str, partitions: int, settings: Mapping[str, str]) -> None:
        topic = msk.CfnTopic(
            self,
            id,
            cluster_arn=self.kafka.cluster_arn,
            topic_name=name,
            partition_count=partitions,
            replication_factor=REPLICAS,
            # An object of strings: https://docs.aws.amazon.com/msk/1.0/apireference/v1-clusters-clusterarn-topics.html
            configs=base64.b64encode(json.dumps(dict(sorted(settings.items()))).encode()).decode(),
        )
        topic.apply_removal_policy(self._removal_policy)


class ExistingTopic(KafkaTopic):
    """A topic made elsewhere."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        kafka: KafkaCluster,
        name: str,
        partitions: int,
        dead_letter_topic: str | None,
        max_message_bytes: int,
    ) -> None:
        Construct.__init__(self, scope, id)
        self._remember(id, kafka, name, partitions, max_message_bytes)
        if dead_letter_topic is not None:
            check_topic_name(id, dead_letter_topic)
        elif _is_serverless(kafka):
            raise ConfigurationError(
                f"{id}: CloudFormation makes no topics in a serverless cluster; make one for dead letters with a Kafka "
                "client, and give it as dead_letter_topic."
            )
        self.retention_seconds: int | None = None
        self._dead_letter_retention = DEAD_LETTER_RETENTION
        self._dead_letter_topic = dead_letter_topic
        self._removal_policy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE

    def dead_letter_topic(self, group: str) -> str:
        return super().dead_letter_topic(group) if self._dead_letter_topic is None else self._dead_letter_topic

    def retry_topic(self, group: str) -> str:
        if _is_serverless(self.kafka):
            raise ConfigurationError(
                f"{self.node.path}: CloudFormation makes no retry topic in a serverless cluster; leave retry_topic out."
            )
        return super().retry_topic(group)


def _is_serverless(kafka: KafkaCluster) -> bool:
    return kafka.brokers is not None and kafka.brokers.kind == "serverless"


def _version(kafka: KafkaCluster) -> int | None:
    """The first number of the brokers' version. None where it is not known."""
    if kafka.brokers is None or kafka.brokers.version is None:
        return None
    return int(kafka.brokers.version.split(".")[0])
