"""The planner's Lambda handler: once a minute, for every worker that the event names, it reads, plans, publishes."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3

from fargate_workers_planner.arithmetic import Plan, plan
from fargate_workers_planner.observing import MOST_WORKERS, History, histories, observe
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
    until = now.replace(second=0, microsecond=0)
    failures: dict[str, Exception] = {}
    for first in range(0, len(all_workers), MOST_WORKERS):
        some = all_workers[first : first + MOST_WORKERS]
        plans, failed = _plans(some, until=until)
        minute, cloudwatch = until - timedelta(minutes=1), client("cloudwatch")
        publish(plans, minute=minute, cloudwatch=cloudwatch)
        publish_no_gap(failed, minute=minute, cloudwatch=cloudwatch)
        failures |= failed
    if failures:
        raise PlanningFailed(" ".join(f"{worker}: {failure}" for worker, failure in failures.items()))


def _plans(some: Sequence[Worker], *, until: datetime) -> tuple[dict[str, Plan], dict[str, Exception]]:
    """The plans, and why there is none, by worker."""
    plans: dict[str, Plan] = {}
    failures: dict[str, Exception] = {}
    try:
        known = histories(some, until=until, cloudwatch=client("cloudwatch"))
    except Exception as failure:
        return {}, {worker.worker: failure for worker in some}
    for worker, history in zip(some, known, strict=True):
        try:
            plans[worker.worker] = _plan(worker, history)
        except Exception as failure:
            failures[worker.worker] = failure
    return plans, failures


def _plan(worker: Worker, history: History) -> Plan:
    seen = observe(worker, history, sqs=client("sqs"), ecs=client("ecs"))
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
