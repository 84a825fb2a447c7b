"""A scheduled task, run now, as its schedule would run it."""

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, cast

from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.changes.starting import start
from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import task_settings


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """A task with a schedule.

    Args:
        name: Its qualified name.
        arn: The ARN of its schedule.
        expression: When it runs.
        target: What its schedule starts.
    """

    name: str
    arn: str
    expression: str
    target: Mapping[str, Any] = field(repr=False)

    @property
    def short_name(self) -> str:
        """The construct id, which is what people type."""
        return self.name.rpartition("/")[2]


def scheduled_tasks(aws: Aws) -> list[Scheduled]:
    """The scheduled tasks of an environment.

    Args:
        aws: The environment's AWS.

    Raises:
        OperationsError: AWS refuses.
    """
    with answered(sign_in=aws.place.sign_in):
        names = set(_names(aws))
        return sorted(_scheduled(aws, names), key=lambda task: task.name)


def find_scheduled(aws: Aws, name: str) -> Scheduled:
    """Find a scheduled task.

    Args:
        aws: The environment's AWS.
        name: Its name, qualified or not.

    Raises:
        OperationsError: There is none of the name, or more than one.
    """
    tasks = scheduled_tasks(aws)
    found = [task for task in tasks if name in (task.name, task.short_name)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(task.name if found else task.short_name for task in found or tasks) or "none"
    if found:
        raise OperationsError(f"{len(found)} scheduled tasks are named {name}; give the whole name: {known}.")
    near = get_close_matches(name, [task.short_name for task in tasks], n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    raise OperationsError(f"{aws.place.environment} has no scheduled task {name}; it has {known}.{hint}")


def run_now(aws: Aws, task: Scheduled, *, clock: Clock) -> str:
    """Start a scheduled task as its schedule does, with the time of now.

    Args:
        aws: The environment's AWS.
        task: The task.
        clock: The time.

    Returns:
        The ARN of the ECS task.

    Raises:
        OperationsError: ECS does not start it, or AWS refuses.
    """
    return start(aws, task.short_name, task.target, _overrides(task, clock))


def _names(aws: Aws) -> Iterator[str]:
    """What has alarms in this environment: workers, tasks, and what they use."""
    pages = (
        aws.client("resourcegroupstaggingapi")
        .get_paginator("get_resources")
        .paginate(
            TagFilters=[{"Key": tags.ENVIRONMENT, "Values": [aws.place.environment]}],
            ResourceTypeFilters=["cloudwatch:alarm"],
        )
    )
    for page in pages:
        for item in page["ResourceTagMappingList"]:
            yield from (tag["Value"] for tag in item["Tags"] if tag["Key"] == tags.WORKER)


def _scheduled(aws: Aws, names: set[str]) -> Iterator[Scheduled]:
    scheduler = aws.client("scheduler")
    for page in scheduler.get_paginator("list_schedules").paginate():
        for summary in page["Schedules"]:
            schedule = scheduler.get_schedule(Name=summary["Name"], GroupName=summary.get("GroupName", "default"))
            parameters = schedule["Target"].get("EcsParameters")
            if not parameters:
                continue
            name = task_settings(aws, parameters["TaskDefinitionArn"]).variables.get("WORKER_NAME")
            if name in names:
                yield Scheduled(
                    name=str(name),
                    arn=schedule["Arn"],
                    expression=schedule["ScheduleExpression"],
                    target=schedule["Target"],
                )


def _overrides(task: Scheduled, clock: Clock) -> dict[str, Any]:
    """The overrides of the schedule, with what Scheduler would fill in."""
    now = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = task.target.get("Input") or "{}"
    for placeholder, value in (
        ("<aws.scheduler.schedule-arn>", task.arn),
        ("<aws.scheduler.scheduled-time>", now),
        ("<aws.scheduler.execution-id>", f"by-hand-{uuid.uuid4()}"),
        ("<aws.scheduler.attempt-number>", "1"),
    ):
        text = text.replace(placeholder, value)
    return cast("dict[str, Any]", json.loads(text))
