"""A consumer group of a topic: its name, and how its members handle records."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from constructs import Construct

from fargate_workers.access import given
from fargate_workers.cloudformation import qualified_name
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.kafka.group_source import GroupSource
from fargate_workers.sources.kafka.kafka_cluster import KafkaCluster
from fargate_workers.sources.lease import check_lease
from fargate_workers.sources.source import Demand

Start = Literal["earliest", "latest"]
GroupProtocol = Literal["classic", "consumer"]


class GroupedTopic(Protocol):
    """What a group needs of its topic; `KafkaTopic` is one."""

    kafka: KafkaCluster
    topic_name: str
    partitions: int
    retention_seconds: int | None
    max_message_bytes: int

    def claim_group(self, group: str, worker: str) -> None:
        """Note which worker drains the topic by a group.

        Args:
            group: The name of the group.
            worker: The worker's path, for the error.
        """
        ...

    def dead_letter_topic(self, group: str) -> str:
        """The name of the dead-letter topic of a group.

        Args:
            group: The name of the group.
        """
        ...

    def retry_topic(self, group: str) -> str:
        """The name of the retry topic of a group.

        Args:
            group: The name of the group.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class ConsumerGroup:
    """A consumer group by which one worker drains a topic; `KafkaTopic.for_group` makes one. It is a `SharedSource`.

    Args:
        topic: The topic.
        name: The name of the group.
        start: Where it begins without a commit.
        ordered: Whether records of a key are handled one after the other.
        retry_topic: Whether a record that failed moves to a topic of its own.
        protocol: How members share partitions.
        lease_seconds: After how long a claim of a process that died lapses. None is the runtime's default.

    Raises:
        ConfigurationError: An option is unknown, or out of its range.
    """

    topic: GroupedTopic
    name: str
    start: Start = "earliest"
    ordered: bool = True
    retry_topic: bool = False
    protocol: GroupProtocol = "classic"
    lease_seconds: int | None = None

    def __post_init__(self) -> None:
        for option, value, known in (
            ("start", self.start, get_args(Start)),
            ("protocol", self.protocol, get_args(GroupProtocol)),
        ):
            if value not in known:
                raise ConfigurationError(
                    f"{self.topic.topic_name}, {self.name}: {option} is {value!r}; use one of {', '.join(known)}."
                )
        if self.lease_seconds is not None:
            check_lease(f"{self.topic.topic_name}, {self.name}", self.lease_seconds)

    def for_worker(self, worker: Construct, demand: Demand) -> GroupSource:
        """The group as one worker's source of work; see `SharedSource`.

        Args:
            worker: The worker.
            demand: What it needs.

        Raises:
            ConfigurationError: The group has a worker already.
        """
        topic = self.topic
        topic.claim_group(self.name, worker.node.path)
        return GroupSource(
            kafka=topic.kafka,
            topic=topic.topic_name,
            partitions=topic.partitions,
            retention_seconds=topic.retention_seconds,
            largest_message=topic.max_message_bytes,
            group=self.name,
            dead_letter_topic=topic.dead_letter_topic(self.name),
            retry_topic=topic.retry_topic(self.name) if self.retry_topic else None,
            variables={
                "KAFKA_START": self.start,
                "KAFKA_ORDERED": "true" if self.ordered else "false",
                "KAFKA_GROUP_PROTOCOL": self.protocol,
                **given(VISIBILITY_TIMEOUT_SECONDS=self.lease_seconds),
            },
            processes=demand.processes,
            qualified_name=qualified_name(worker),
        )
