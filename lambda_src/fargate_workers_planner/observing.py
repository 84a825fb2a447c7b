"""The reading of AWS for a plan: live counts of messages and tasks, and the metrics of the last minutes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from fargate_workers_planner.arithmetic import Observation, Work
from fargate_workers_planner.backlog import split_backlog
from fargate_workers_planner.metric_names import RUNTIME_NAMESPACE
from fargate_workers_planner.reading import MOST_METRICS, MinutelyMetric, Minutes, read
from fargate_workers_planner.settings import Worker
from fargate_workers_planner.sources import Found

#: Workers whose metrics, nine at most, fit into one GetMetricData.
MOST_WORKERS = MOST_METRICS // 9


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """The last HISTORY whole minutes of a worker, oldest first; None where there is no datapoint.

    Args:
        found: The metrics of its source, by their short names.
        work: The work that the worker reports, or else that which is inferred from its source.
    """

    found: Found
    work: Sequence[Work | None]


def histories(workers: Sequence[Worker], *, until: datetime, cloudwatch: Any) -> list[History]:
    """The history of each worker; AWS's newest minute is often still missing.

    Args:
        workers: The workers, MOST_WORKERS at most.
        until: The full minute at which the history ends.
        cloudwatch: CloudWatch's client.
    """
    ask = partial(_read, until=until, cloudwatch=cloudwatch)
    found = ask({number: _metrics(worker) for number, worker in enumerate(workers)})
    work: dict[int, Sequence[Work | None]] = {
        number: _pairs(each["seconds"], each["messages"]) for number, each in found.items()
    }
    silent = [number for number, reported in work.items() if not any(reported)]
    for number, more in ask({number: workers[number].source.metrics_of_work() for number in silent}).items():
        work[number] = workers[number].source.inferred_work(more)
    return [History(found=found[number], work=work[number]) for number in range(len(workers))]


def _read(
    metrics: Mapping[int, Mapping[str, MinutelyMetric]], *, until: datetime, cloudwatch: Any
) -> dict[int, dict[str, Minutes]]:
    """The minutes of the metrics of each numbered worker, in one reading."""
    asked = {f"{name}{number}": metric for number, each in metrics.items() for name, metric in each.items()}
    found = read(asked, until=until, cloudwatch=cloudwatch)
    return {number: {name: found[f"{name}{number}"] for name in each} for number, each in metrics.items()}


def service_of(worker: Worker, *, ecs: Any) -> Mapping[str, Any]:
    """The ECS service of one worker, with its tags.

    Args:
        worker: The worker.
        ecs: The client of ECS.

    Raises:
        LookupError: The cluster has no such service.
        botocore.exceptions.ClientError: AWS refuses a request.
    """
    services = ecs.describe_services(cluster=worker.cluster, services=[worker.service], include=["TAGS"])["services"]
    if not services:
        raise LookupError(f"The cluster {worker.cluster} has no service {worker.service}.")
    return services[0]


def observe(worker: Worker, history: History, service: Mapping[str, Any], *, sqs: Any) -> Observation:
    """The live counts and the history of one worker.

    Args:
        worker: The worker.
        history: Its last minutes.
        service: Its ECS service.
        sqs: The client of SQS.

    Raises:
        LookupError: Nothing is known of its source.
        botocore.exceptions.ClientError: AWS refuses a request.
    """
    source = worker.source.look(history.found, sqs=sqs)
    running = _counted(service)
    visible, in_flight = source.visible, source.in_flight
    if in_flight is None:
        visible, in_flight = split_backlog(visible, running=running, concurrency=worker.policy.concurrency)
    return Observation(
        visible=visible,
        in_flight=in_flight,
        desired=service["desiredCount"],
        running=running,
        oldest_age=source.oldest_age,
        arrivals=source.arrivals,
        groups=source.groups,
        work=history.work,
    )


def _metrics(worker: Worker) -> dict[str, MinutelyMetric]:
    work = {"Worker": worker.worker}
    return {
        **worker.source.metrics(worker.worker),
        "seconds": MinutelyMetric(RUNTIME_NAMESPACE, "WorkSeconds", work, "Sum"),
        "messages": MinutelyMetric(RUNTIME_NAMESPACE, "WorkSeconds", work, "SampleCount"),
    }


def _pairs(first: Minutes, second: Minutes) -> list[Work | None]:
    return [None if a is None or b is None else (a, b) for a, b in zip(first, second, strict=True)]


def _counted(service: Mapping[str, Any]) -> int:
    """The tasks that run; while a deployment replaces them, those of all versions, started or starting.

    Auto Scaling counts both then, so that a gap from fewer would start as many tasks again:
    https://github.com/aws/containers-roadmap/issues/525
    """
    versions = service.get("deployments", ())
    if len(versions) < 2:
        return service["runningCount"]
    return max(
        service["runningCount"], sum(each.get("runningCount", 0) + each.get("pendingCount", 0) for each in versions)
    )
