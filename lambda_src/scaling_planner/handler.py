"""The edge: once a minute, for every worker that the event names: read, plan, publish."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3

from scaling_planner.arithmetic import Plan, plan
from scaling_planner.observing import MOST_WORKERS, History, histories, observe
from scaling_planner.publishing import publish
from scaling_planner.settings import Worker, workers

log = logging.getLogger(__name__)
log.setLevel(logging.INFO)


class PlanningFailed(Exception):  # noqa: N818 - it says what happened
    """Some workers were not planned for, and so keep their tasks; the others were."""


def handler(event: Mapping[str, Any], context: object) -> None:  # noqa: ARG001 - Lambda passes both
    plan_for(workers(event), now=datetime.now(UTC))


def plan_for(all_workers: Sequence[Worker], *, now: datetime) -> None:
    """Publish a plan for every worker that can be seen; raises PlanningFailed at the end if some could not."""
    until = now.replace(second=0, microsecond=0)
    failures: dict[str, Exception] = {}
    for first in range(0, len(all_workers), MOST_WORKERS):
        some = all_workers[first : first + MOST_WORKERS]
        plans: dict[str, Plan] = {}
        for worker, history in zip(some, histories(some, until=until, cloudwatch=client("cloudwatch")), strict=True):
            try:
                plans[worker.worker] = _plan(worker, history)
            except Exception as failure:
                failures[worker.worker] = failure
        publish(plans, minute=until - timedelta(minutes=1), cloudwatch=client("cloudwatch"))
    if failures:
        raise PlanningFailed(" ".join(f"{worker}: {failure}" for worker, failure in failures.items()))


def _plan(worker: Worker, history: History) -> Plan:
    seen = observe(worker, history, sqs=client("sqs"), ecs=client("ecs"))
    planned = plan(worker.policy, seen)
    if planned.reason != "steady":
        counts = {name: getattr(seen, name) for name in ("visible", "in_flight", "desired", "running", "oldest_age")}
        log.info(json.dumps({"worker": worker.worker, **counts, "plan": asdict(planned)}))
    return planned


@cache
def client(service: str) -> Any:
    return boto3.client(service)  # pyright: ignore[reportUnknownMemberType, reportCallIssue, reportArgumentType, reportUnknownVariableType]
