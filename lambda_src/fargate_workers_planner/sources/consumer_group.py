"""A consumer group on a topic of MSK, as the planner reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fargate_workers_planner.arithmetic import Observation, Plan, Policy
from fargate_workers_planner.backlog import arrivals_of_backlog
from fargate_workers_planner.metric_names import PLANNER_NAMESPACE, RUNTIME_NAMESPACE
from fargate_workers_planner.partitions import settled
from fargate_workers_planner.reading import MinutelyMetric, newest
from fargate_workers_planner.sources.finished import finished, metrics_of_endings
from fargate_workers_planner.sources.source import AGE_LASTS, Found, Seen, Source

#: Minutes after which a lag is no evidence of the present: MSK publishes one about two minutes late.
_LAG_LASTS = 4
#: Minutes after which its silence is no rebalance any more, and the tasks' own count is planned by.
_REBALANCE_LASTS = 10


@dataclass(frozen=True, kw_only=True)
class ConsumerGroup(Source):
    """A consumer group on a topic of MSK, known by metrics alone.

    MSK is silent about the lag while the group rebalances, and before its first commit. Meanwhile the tasks' own count
    stands in for it. https://docs.aws.amazon.com/msk/latest/developerguide/consumer-lag.html

    Args:
        cluster: The name of the MSK cluster.
        topic: The name of the topic.
        group: The name of the group.
        partitions: Tasks that could be busy at most.
    """

    cluster: str
    topic: str
    group: str
    partitions: int

    def metrics(self, worker: str) -> Mapping[str, MinutelyMetric]:
        group = {"Cluster Name": self.cluster, "Consumer Group": self.group, "Topic": self.topic}
        return {
            "lag": MinutelyMetric("AWS/Kafka", "SumOffsetLag", group, "Maximum"),
            "age": MinutelyMetric("AWS/Kafka", "EstimatedMaxTimeLag", group, "Maximum"),
            # Each task counts the partitions that it has.
            "own": MinutelyMetric(RUNTIME_NAMESPACE, "Lag", {"Worker": worker}, "Sum"),
            "planned": MinutelyMetric(PLANNER_NAMESPACE, "DesiredTasks", {"Worker": worker}, "Maximum"),
            **metrics_of_endings(worker),
        }

    def look(self, found: Found, *, sqs: Any) -> Seen:  # noqa: ARG002  of other sources
        backlog = [own if lag is None else lag for lag, own in zip(found["lag"], found["own"], strict=True)]
        lag = newest(backlog, within=_LAG_LASTS)
        if all(each is None for each in found["lag"]):
            # Without a commit nobody sees records that come, so that one task stays, or is started.
            lag = max(1.0, lag or 0.0)
        if lag is None:
            raise LookupError(f"Neither MSK nor a task has reported a lag of {self.group} on {self.topic}.")
        return Seen(
            visible=lag,
            in_flight=None,
            oldest_age=newest(found["age"], within=AGE_LASTS),
            arrivals=arrivals_of_backlog(backlog, finished(found)),
        )

    def settle(self, plan: Plan, policy: Policy, seen: Observation, found: Found) -> Plan:
        silent = newest(found["lag"], within=_LAG_LASTS) is None
        return settled(
            plan,
            policy,
            seen,
            partitions=self.partitions,
            earlier=found["planned"],
            rebalances=silent and newest(found["lag"], within=_REBALANCE_LASTS) is not None,
        )
