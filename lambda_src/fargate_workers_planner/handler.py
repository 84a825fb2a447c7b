"""The planner's Lambda handler: once a minute, for every worker that the event names, it reads, plans, publishes."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3

from fargate_workers_planner.arithmetic import Plan, plan
from fargate_workers_planner.observing import MOST_WORKERS, History, histories, observe, service_of
from fargate_workers_planner.pauses import overdue_seconds
from fargate_workers_planner.publishing import publish, publish_no_gap
from fargate_workers_planner.settings import Worker, workers

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class PlanningFailed(Exception):  # noqa: N818 - named for what happened
    """Some workers could not be planned for, and so keep their tasks; the others were."""


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda passes both
    """Plan for the workers of a rule's input.

    Args:
        event: The input of the rule.
        context: Lambda's context, which is not used.

    Raises:
        ValueError: The event names no workers.
        PlanningFailed: Some workers could not be planned for.
    """
    plan_for(workers(event), now=datetime.now(UTC))


def plan_for(all_workers: Sequence[Worker], *, now: datetime) -> None:
    """Publish a plan for every worker that can be seen, and no gap for the others.

    Args:
        all_workers: The workers to plan for.
        now: The present moment.

    Raises:
        PlanningFailed: Some workers could not be planned for; the message names them.
    """
    minute = now.replace(second=0, microsecond=0) - timedelta(minutes=1)
    failures: dict[str, Exception] = {}
    for first in range(0, len(all_workers), MOST_WORKERS):
        seen, cloudwatch = _look_at(all_workers[first : first + MOST_WORKERS], now=now), client("cloudwatch")
        publish(seen.plans, overdue=seen.overdue, minute=minute, cloudwatch=cloudwatch)
        publish_no_gap(seen.failures, minute=minute, cloudwatch=cloudwatch)
        failures |= seen.failures
    if failures:
        raise PlanningFailed(" ".join(f"{worker}: {failure}" for worker, failure in failures.items()))


@dataclass(frozen=True)
class _Seen:
    """The plans, the seconds for which pauses have lasted too long, and why there is no plan, by worker."""

    plans: dict[str, Plan] = field(default_factory=dict[str, Plan])
    overdue: dict[str, float] = field(default_factory=dict[str, float])
    failures: dict[str, Exception] = field(default_factory=dict[str, Exception])


def _look_at(some: Sequence[Worker], *, now: datetime) -> _Seen:
    seen = _Seen()
    try:
        known = histories(some, until=now.replace(second=0, microsecond=0), cloudwatch=client("cloudwatch"))
    except Exception as failure:
        seen.failures.update({worker.worker: failure for worker in some})
        return seen
    for worker, history in zip(some, known, strict=True):
        try:
            service = service_of(worker, ecs=client("ecs"))
            tags = {tag["key"]: tag["value"] for tag in service.get("tags", ())}
            if (seconds := overdue_seconds(tags, now=now.timestamp())) is not None:
                seen.overdue[worker.worker] = seconds
            seen.plans[worker.worker] = _plan(worker, history, service)
        except Exception as failure:
            seen.failures[worker.worker] = failure
    return seen


def _plan(worker: Worker, history: History, service: Mapping[str, Any]) -> Plan:
    seen = observe(worker, history, service, sqs=client("sqs"))
    planned = worker.source.settle(plan(worker.policy, seen), worker.policy, seen, history.found)
    if planned.reason != "steady":
        counts = {name: getattr(seen, name) for name in ("visible", "in_flight", "desired", "running", "oldest_age")}
        log.info(json.dumps({"worker": worker.worker, **counts, "plan": asdict(planned)}))
    return planned


@cache
def client(service: str) -> Any:
    """The AWS client of a service, made once.

    Args:
        service: The name of the service, such as "ecs".
    """
    return boto3.client(service)  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportArgumentType, reportUnknownVariableType]
