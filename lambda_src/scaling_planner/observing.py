"""What AWS knows of the workers: live counts of messages and tasks, and the metrics of the last minutes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from scaling_planner.arithmetic import HISTORY, Observation, Work, work_of_queue
from scaling_planner.settings import Worker

#: Workers whose four metrics fit into one GetMetricData, which takes 500.
MOST_WORKERS = 125

#: Minutes after which an age says nothing about the present.
_AGE_LASTS = 3

_MINUTE = timedelta(minutes=1)

Minutes = list[float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The last HISTORY whole minutes, oldest first; None where there is no datapoint.

    work: What the worker reports of its work, or else what its queue betrays of it.
    """

    sent: Minutes
    work: Sequence[Work | None]
    oldest_age: Minutes


def histories(workers: Sequence[Worker], *, until: datetime, cloudwatch: Any) -> list[History]:
    """One for each worker, up to the full minute `until`; AWS's newest minute is often still missing."""
    numbered = dict(enumerate(workers))
    read = partial(_read, until=until, cloudwatch=cloudwatch)
    found = read(query for number, worker in numbered.items() for query in _queries(number, worker))
    reported = {number: _pairs(found[f"seconds{number}"], found[f"messages{number}"]) for number in numbered}
    silent = [number for number, work in reported.items() if not any(work)]
    queues = read(query for number in silent for query in _queue_queries(number, numbered[number]))
    betrayed = {number: work_of_queue(queues[f"flying{number}"], queues[f"deleted{number}"]) for number in silent}
    return [
        History(sent=found[f"sent{number}"], work=work, oldest_age=found[f"age{number}"])
        for number, work in (reported | betrayed).items()
    ]


def _read(queries: Iterable[Mapping[str, Any]], *, until: datetime, cloudwatch: Any) -> dict[str, Minutes]:
    """The minutes of each query, by its id."""
    start = until - HISTORY * _MINUTE
    asked = list(queries)
    found: dict[str, Minutes] = {query["Id"]: [None] * HISTORY for query in asked}
    if asked:
        for result in _results(cloudwatch, MetricDataQueries=asked, StartTime=start, EndTime=until):
            for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                minute = (moment - start) // _MINUTE
                if 0 <= minute < HISTORY:
                    found[result["Id"]][minute] = value
    return found


def _pairs(first: Minutes, second: Minutes) -> list[Work | None]:
    return [None if a is None or b is None else (a, b) for a, b in zip(first, second, strict=True)]


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
        work=history.work,
    )


def _queries(number: int, worker: Worker) -> Iterator[dict[str, Any]]:
    queue = {"QueueName": worker.queue_name}
    work = {"Worker": worker.worker}
    yield _query(f"sent{number}", "AWS/SQS", "NumberOfMessagesSent", queue, "Sum")
    yield _query(f"age{number}", "AWS/SQS", "ApproximateAgeOfOldestMessage", queue, "Maximum")
    yield _query(f"seconds{number}", "FargateWorkers", "WorkSeconds", work, "Sum")
    yield _query(f"messages{number}", "FargateWorkers", "WorkSeconds", work, "SampleCount")


def _queue_queries(number: int, worker: Worker) -> Iterator[dict[str, Any]]:
    queue = {"QueueName": worker.queue_name}
    yield _query(f"flying{number}", "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", queue, "Average")
    yield _query(f"deleted{number}", "AWS/SQS", "NumberOfMessagesDeleted", queue, "Sum")


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
