"""What AWS knows of the workers: live counts of messages and tasks, and the metrics of the last minutes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scaling_planner.arithmetic import HISTORY, Observation
from scaling_planner.settings import Worker

#: Workers whose four metrics fit into one GetMetricData, which takes 500.
MOST_WORKERS = 125

#: Minutes after which an age says nothing about the present.
_AGE_LASTS = 3

_MINUTE = timedelta(minutes=1)

Minutes = list[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The last HISTORY whole minutes, oldest first; None where there is no datapoint."""

    sent: Minutes
    work_seconds: Minutes
    messages: Minutes
    oldest_age: Minutes


def histories(workers: Sequence[Worker], *, until: datetime, cloudwatch: Any) -> list[History]:
    """One for each worker, up to the full minute `until`; AWS's newest minute is often still missing."""
    start = until - HISTORY * _MINUTE
    found: dict[str, Minutes] = {}
    queries = [query for number, worker in enumerate(workers) for query in _queries(number, worker)]
    for result in _results(cloudwatch, MetricDataQueries=queries, StartTime=start, EndTime=until):
        minutes = found.setdefault(result["Id"], [None] * HISTORY)
        for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
            minute = (moment - start) // _MINUTE
            if 0 <= minute < HISTORY:
                minutes[minute] = value
    missing: Minutes = [None] * HISTORY
    return [
        History(
            sent=found.get(f"sent{number}", missing),
            work_seconds=found.get(f"seconds{number}", missing),
            messages=found.get(f"messages{number}", missing),
            oldest_age=found.get(f"age{number}", missing),
        )
        for number in range(len(workers))
    ]


def observe(worker: Worker, history: History, *, sqs: Any, ecs: Any) -> Observation:
    """The live counts and the history of one worker. Raises what AWS raises, LookupError when there is no service."""
    queue = sqs.get_queue_attributes(
        QueueUrl=worker.queue_url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    services = ecs.describe_services(cluster=worker.cluster, services=[worker.service])["services"]
    if not services:
        raise LookupError(f"The cluster {worker.cluster} has no service {worker.service}.")
    return Observation(
        visible=int(queue["ApproximateNumberOfMessages"]),
        in_flight=int(queue["ApproximateNumberOfMessagesNotVisible"]),
        desired=services[0]["desiredCount"],
        running=services[0]["runningCount"],
        oldest_age=next((age for age in reversed(history.oldest_age[-_AGE_LASTS:]) if age is not None), None),
        arrivals=history.sent,
        work=[
            None if seconds is None or messages is None else (seconds, messages)
            for seconds, messages in zip(history.work_seconds, history.messages, strict=True)
        ],
    )


def _queries(number: int, worker: Worker) -> Iterator[dict[str, Any]]:
    queue = {"QueueName": worker.queue_name}
    work = {"Worker": worker.worker}
    yield _query(f"sent{number}", "AWS/SQS", "NumberOfMessagesSent", queue, "Sum")
    yield _query(f"age{number}", "AWS/SQS", "ApproximateAgeOfOldestMessage", queue, "Maximum")
    yield _query(f"seconds{number}", "FargateWorkers", "WorkSeconds", work, "Sum")
    yield _query(f"messages{number}", "FargateWorkers", "WorkSeconds", work, "SampleCount")


def _query(id: str, namespace: str, name: str, dimensions: Mapping[str, str], statistic: str) -> dict[str, Any]:
    return {
        "Id": id,
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": [{"Name": dimension, "Value": value} for dimension, value in dimensions.items()],
            },
            "Period": 60,
            "Stat": statistic,
        },
    }


def _results(cloudwatch: Any, **request: Any) -> Iterator[dict[str, Any]]:
    """All pages: a metric may continue on the next."""
    token: str | None = None
    while True:
        page = cloudwatch.get_metric_data(**request, **({"NextToken": token} if token else {}))
        yield from page["MetricDataResults"]
        token = page.get("NextToken")
        if not token:
            return
