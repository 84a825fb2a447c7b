"""An SQS queue, as the planner reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_planner.arithmetic import Work
from fargate_workers_planner.inferred_work import work_of_queue
from fargate_workers_planner.reading import MinutelyMetric, newest
from fargate_workers_planner.sources.source import AGE_LASTS, Found, Seen, Source


@dataclass(frozen=True, kw_only=True)
class Queue(Source):
    """An SQS queue: counts from its attributes, the rest from its metrics.

    Args:
        url: The URL of the queue.
        name: The name of the queue.
    """

    url: str
    name: str

    def metrics(self, worker: str) -> Mapping[str, MinutelyMetric]:  # noqa: ARG002  of other sources
        metrics = {
            "sent": self._metric("NumberOfMessagesSent", "Sum"),
            "age": self._metric("ApproximateAgeOfOldestMessage", "Maximum"),
        }
        if self.name.endswith(".fifo"):
            metrics["groups"] = self._metric("ApproximateNumberOfGroupsWithInflightMessages", "Maximum")
        return metrics

    def look(self, found: Found, *, sqs: Any) -> Seen:
        queue = sqs.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return Seen(
            visible=int(queue["ApproximateNumberOfMessages"]),
            in_flight=int(queue["ApproximateNumberOfMessagesNotVisible"]),
            oldest_age=newest(found["age"], within=AGE_LASTS),
            arrivals=found["sent"],
            groups=found.get("groups", ()),
        )

    def metrics_of_work(self) -> Mapping[str, MinutelyMetric]:
        return {
            "flying": self._metric("ApproximateNumberOfMessagesNotVisible", "Average"),
            "deleted": self._metric("NumberOfMessagesDeleted", "Sum"),
        }

    def inferred_work(self, found: Found) -> Sequence[Work | None]:
        return work_of_queue(found["flying"], found["deleted"])

    def _metric(self, name: str, statistic: str) -> MinutelyMetric:
        return MinutelyMetric("AWS/SQS", name, {"QueueName": self.name}, statistic)
