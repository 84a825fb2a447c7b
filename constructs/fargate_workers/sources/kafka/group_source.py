"""A consumer group of a Kafka topic as a worker's source of work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers.access import Access
from fargate_workers.alarms import AlarmDefinition
from fargate_workers.alarms.catalogue import consumer_group_alarms, describe_topic_command, group_metric
from fargate_workers.cloudformation import TOKEN, allow
from fargate_workers.durations import in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.kafka.kafka_cluster import KafkaCluster
from fargate_workers.sources.kafka.names import group_arn, topic_arn
from fargate_workers.sources.source import Demand, PlannerInput, Signals, TaskInNetwork

# CloudFormation puts a cluster's name in a token's place, of 64 characters at most.
_LONGEST_CLUSTER_NAME = "n" * 64


@dataclass(frozen=True, kw_only=True)
class GroupSource:
    """A topic, as one worker drains it by a consumer group. It is a `WorkSource`, and stands in a network.

    Args:
        kafka: The cluster.
        topic: The name of the topic.
        partitions: The number of its partitions.
        retention_seconds: Seconds for which a record is kept. None is not known.
        largest_message: Bytes of the largest record.
        group: The name of the group.
        dead_letter_topic: The name of the topic for records that are given up.
        retry_topic: The name of the topic for records that failed. None: they are tried again in their place.
        variables: The variables of the container that are the group's options.
        processes: Processes of a task, each a member of the group.
        qualified_name: The worker's qualified name.
    """

    kafka: KafkaCluster
    topic: str
    partitions: int
    retention_seconds: int | None
    largest_message: int
    group: str
    dead_letter_topic: str
    retry_topic: str | None
    variables: Mapping[str, str]
    processes: int
    qualified_name: str

    @property
    def broker(self) -> str:
        """The name of the service that holds the messages."""
        return "Kafka"

    @property
    def access(self) -> Access:
        """What draining takes: join the group, read the topic, and write what is given up to its dead-letter topic.

        https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
        """
        cluster_arn = self.kafka.cluster_arn
        written = [self.dead_letter_topic, *([] if self.retry_topic is None else [self.retry_topic])]
        read = [self.topic, *([] if self.retry_topic is None else [self.retry_topic])]
        statements = [
            # AWS narrows it to no resource.
            allow(["kafka:GetBootstrapBrokers"], "*"),
            # The dead letter is written idempotently, which is an action on the cluster.
            allow(["kafka-cluster:Connect", "kafka-cluster:WriteDataIdempotently"], cluster_arn),
            allow(
                ["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"],
                *(topic_arn(cluster_arn, topic) for topic in read),
            ),
            allow(
                ["kafka-cluster:DescribeTopic", "kafka-cluster:WriteData"],
                *(topic_arn(cluster_arn, topic) for topic in written),
            ),
            allow(["kafka-cluster:AlterGroup", "kafka-cluster:DescribeGroup"], group_arn(cluster_arn, self.group)),
        ]
        variables = {
            "BROKER": "kafka",
            "KAFKA_CLUSTER_ARN": cluster_arn,
            "KAFKA_AUTHENTICATION": "iam",
            "KAFKA_TOPIC": self.topic,
            "KAFKA_GROUP": self.group,
            "KAFKA_DEAD_LETTER_TOPIC": self.dead_letter_topic,
            **({} if self.retry_topic is None else {"KAFKA_RETRY_TOPIC": self.retry_topic}),
            **self.variables,
        }
        return Access(statements, variables)

    @property
    def looking(self) -> Sequence[Mapping[str, Any]]:
        """The statements that a look takes: to read the topic and its dead-letter topic, and what groups committed."""
        cluster_arn = self.kafka.cluster_arn
        topics = [topic_arn(cluster_arn, topic) for topic in (self.topic, self.dead_letter_topic)]
        groups = [group_arn(cluster_arn, group) for group in (self.group, self._letters_group)]
        return [
            allow(["kafka:GetBootstrapBrokers"], "*"),
            allow(["kafka-cluster:Connect"], cluster_arn),
            allow(["kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"], *topics),
            allow(["kafka-cluster:DescribeGroup"], *groups),
        ]

    @property
    def replaying(self) -> Sequence[Mapping[str, Any]]:
        """The statements that dead letters take besides: to send to the topic, and to note in a group what is done."""
        cluster_arn = self.kafka.cluster_arn
        return [
            allow(["kafka-cluster:WriteDataIdempotently"], cluster_arn),
            allow(["kafka-cluster:WriteData"], topic_arn(cluster_arn, self.topic)),
            allow(["kafka-cluster:AlterGroup"], group_arn(cluster_arn, self._letters_group)),
        ]

    @property
    def _letters_group(self) -> str:
        """The group without members, whose commits show which dead letters are done; the commands name it so."""
        return f"{self.group}.dead-letters"

    @property
    def signals(self) -> Signals:
        """What MSK reports of the group every minute, free of charge; nothing while it rebalances."""
        name, topic, group = self.kafka.cluster_name, self.topic, self.group
        return Signals(
            backlog=group_metric(name, topic, group, "SumOffsetLag"),
            oldest_age=group_metric(name, topic, group, "EstimatedMaxTimeLag"),
        )

    @property
    def planner_input(self) -> PlannerInput:
        """The names by which the planner reads the group's metrics, and the most tasks that could be busy."""
        name = self.kafka.cluster_name
        most = self.partitions // self.processes
        names = {"topic": self.topic, "group": self.group, "partitions": most}
        longest = {"cluster": TOKEN.sub(_LONGEST_CLUSTER_NAME, name), **names}
        return PlannerInput(
            fields={"kafka": {"cluster": name, **names}}, longest={"kafka": longest}, most_busy_tasks=most
        )

    @property
    def max_receive_count(self) -> int | None:
        """None: Kafka counts no deliveries."""
        return None

    def check_demand(self, worker: str, demand: Demand) -> None:
        """Compare what a worker needs with what the topic bears; see `WorkSource`.

        Args:
            worker: The id of the worker, for the error.
            demand: What it needs.

        Raises:
            ConfigurationError: More tasks than partitions, or times and sizes that do not fit.
        """
        members = demand.max_tasks * demand.processes
        if members > self.partitions:
            each = "" if demand.processes == 1 else f" of {demand.processes} processes each"
            raise ConfigurationError(
                f"{worker}: max_tasks is {demand.max_tasks}{each}, and the topic {self.topic} has {self.partitions} "
                f"partitions, so that some would have nothing to do; lower max_tasks to "
                f"{max(1, self.partitions // demand.processes)}, or give the topic {members} partitions."
            )
        if demand.max_processing_seconds < 1:
            raise ConfigurationError(f"{worker}: max_processing is 0 s; every record takes a little, use 1 s or more.")
        if demand.acceptable_age_seconds < 60:
            raise ConfigurationError(
                f"{worker}: acceptable_age is {in_words(demand.acceptable_age_seconds)}; MSK reports ages once a "
                "minute: use 60 s or more."
            )
        if self.retention_seconds is not None and demand.acceptable_age_seconds > self.retention_seconds / 2:
            raise ConfigurationError(
                f"{worker}: acceptable_age ({in_words(demand.acceptable_age_seconds)}) exceeds half of the topic's "
                f"retention ({in_words(self.retention_seconds)}), so the alarm would come too late to save records; "
                "lower it."
            )
        if demand.max_message_bytes is not None and not 1 <= demand.max_message_bytes <= self.largest_message:
            raise ConfigurationError(
                f"{worker}: max_message_bytes is {demand.max_message_bytes}; use 1 to {self.largest_message}, which is "
                f"the largest record of the topic {self.topic}."
            )

    def work_alarms(self, demand: Demand, *, log_group_name: str) -> Sequence[AlarmDefinition]:
        """The alarms of the group while a worker drains the topic; see `WorkSource`.

        Args:
            demand: What the worker needs.
            log_group_name: The name of the worker's log group, for the commands that an alarm names.
        """
        return consumer_group_alarms(
            cluster_name=self.kafka.cluster_name,
            cluster_arn=self.kafka.cluster_arn,
            topic=self.topic,
            group=self.group,
            dead_letter_topic=self.dead_letter_topic,
            qualified_name=self.qualified_name,
            log_group_name=log_group_name,
            acceptable_age_seconds=demand.acceptable_age_seconds,
            max_processing_seconds=demand.max_processing_seconds,
        )

    def look_command(self) -> str:
        """The AWS CLI command that shows the topic."""
        return describe_topic_command(self.kafka.cluster_arn, self.topic)

    def let_in(self, task: TaskInNetwork) -> None:
        """Open the network between the worker's tasks and the brokers; see `SourceInNetwork`.

        Args:
            task: The worker.
        """
        self.kafka.let_in(task)
