"""The workers to plan for, as the event names them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fargate_workers_planner.arithmetic import Policy
from fargate_workers_planner.partitions import REBALANCE
from fargate_workers_planner.sources import ConsumerGroup, Observed, Queue, Source


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """A service, the source it drains, and the options of its scaling.

    Args:
        worker: The worker's qualified name, by which its metrics go.
        source: The source of its work.
        cluster: The name of the ECS cluster.
        service: The name of the ECS service.
        policy: The options of its scaling.
    """

    worker: str
    source: Source
    cluster: str
    service: str
    policy: Policy


def workers(event: Mapping[str, Any]) -> list[Worker]:
    """The workers of an event `{"workers": [...]}`, each an object with the fields of `Worker`.

    A queue is named by `queue_url` and `queue_name`, a consumer group by `kafka`, a stream or a list by `redis`.

    Args:
        event: The input of the rule.

    Raises:
        ValueError: The event names no workers.
        TypeError: A worker has other fields.
    """
    if "workers" not in event:
        raise ValueError('The event has no "workers"; to plan by hand, use the Input of the rule\'s target.')
    return [_worker(**fields) for fields in event["workers"]]


def _worker(*, policy: dict[str, Any], worker: str, cluster: str, service: str, **source: Any) -> Worker:
    options = Policy(**policy)
    match source:
        case {"kafka": names}:
            # More tasks help only once the group has shared its partitions anew.
            options = replace(options, launch_latency=options.launch_latency + REBALANCE)
            found: Source = ConsumerGroup(**names)
        case {"redis": names}:
            found = Observed(**names)
        case _:
            found = _queue(**source)
    return Worker(worker=worker, source=found, cluster=cluster, service=service, policy=options)


def _queue(*, queue_url: str, queue_name: str) -> Queue:
    return Queue(url=queue_url, name=queue_name)
