"""A Kafka topic, as one consumer group drains it."""

import time
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.operations.sources.kafka.cluster import KafkaCluster
from fargate_workers_toolkit.operations.sources.kafka.letters import KafkaDeadLetters
from fargate_workers_toolkit.operations.sources.source import DeadLetterStore, Depth

_METRICS = {"waiting": "SumOffsetLag", "oldest": "EstimatedMaxTimeLag"}


class KafkaSource:
    """A topic and a group of it.

    Args:
        cluster: The cluster.
        variables: The variables of the worker's container, of which it reads KAFKA_*.
    """

    kind = "Kafka"

    def __init__(self, cluster: KafkaCluster, variables: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._topic = variables["KAFKA_TOPIC"]
        self._group = variables["KAFKA_GROUP"]
        self._dead_letter_topic = variables.get("KAFKA_DEAD_LETTER_TOPIC", "")
        self._begins_at_end = variables.get("KAFKA_START") == "latest"
        self.name: str = f"{self._topic}, group {self._group}"

    @property
    def dead_letters(self) -> DeadLetterStore | None:
        """Its dead-letter topic."""
        if not self._dead_letter_topic:
            return None
        return KafkaDeadLetters(
            self._cluster, name=self._dead_letter_topic, origin=self._topic, worker_group=self._group
        )

    def depth(self) -> Depth:
        """The group's lag: records from its commits to the ends, of which nobody but the workers knows those in hand.

        Raises:
            OperationsError: The cluster cannot be reached, or refuses.
        """
        cluster, topic = self._cluster, self._topic
        partitions = cluster.partitions(topic)
        commits = cluster.committed(self._group, topic, partitions)
        firsts = cluster.firsts(topic, partitions)
        starts = {number: max(firsts[number], commits.get(number, (0, ""))[0]) for number in partitions}
        with cluster.reading(self._group, topic, starts) as reader:
            ends, oldest = reader.ends()
        if self._begins_at_end:  # without a commit, nothing that is there counts
            ends |= {number: starts[number] for number in partitions if number not in commits}
        lag = sum(max(0, ends[number] - starts[number]) for number in partitions)
        age = None if oldest is None else max(0.0, time.time() - oldest)
        return Depth(waiting=lag, in_flight=0, oldest=0.0 if not lag else age)

    def metrics(self, *, observed: str) -> Mapping[str, Mapping[str, Any]]:
        """MSK's metrics of the group, a minute old.

        Args:
            observed: Of no meaning here: MSK itself observes groups.
        """
        del observed
        if not self._cluster.name:
            return {}
        values = {"Cluster Name": self._cluster.name, "Consumer Group": self._group, "Topic": self._topic}
        return {
            key: {
                "Metric": {
                    "Namespace": "AWS/Kafka",
                    "MetricName": name,
                    "Dimensions": [{"Name": each, "Value": value} for each, value in values.items()],
                },
                "Period": 60,
                "Stat": "Maximum",
            }
            for key, name in _METRICS.items()
        }
