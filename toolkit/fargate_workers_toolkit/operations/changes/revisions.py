"""The revisions of a worker's task definition, and the way back to one of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import ServiceWorker, service_of

#: What a registration takes of a description.
_KEPT = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "runtimePlatform",
    "ephemeralStorage",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
)
_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One revision.

    Args:
        number: Its number.
        image: The container's image.
        registered_at: When it was registered, in seconds since 1970.
        active: Whether a service may take it as it is; a deployment retires the one before.
        current: Whether the worker's service has it.
        copy_of: The first revision with the same content, which a rollback registered once more. None: it is the first.
    """

    number: int
    image: str
    registered_at: float
    active: bool
    current: bool
    copy_of: int | None


def revisions_of(aws: Aws, worker: ServiceWorker, *, most: int = _SHOWN) -> list[Revision]:
    """The newest revisions of a worker, the newest first.

    Args:
        aws: Its AWS.
        worker: The worker.
        most: How many at most. Defaults to 10.

    Raises:
        OperationsError: AWS refuses.
    """
    current = service_of(aws, worker).task_definition
    family, number = _parted(current)
    ecs = aws.client("ecs")
    found: list[Revision] = []
    with answered(sign_in=aws.place.sign_in):
        arns: set[str] = {current}
        for status in ("ACTIVE", "INACTIVE"):
            pages = ecs.get_paginator("list_task_definitions").paginate(
                familyPrefix=family, status=status, sort="DESC", PaginationConfig={"MaxItems": most}
            )
            arns.update(arn for page in pages for arn in page["taskDefinitionArns"] if _parted(arn)[0] == family)
        definitions = [
            ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
            for arn in sorted(arns, key=lambda each: -_parted(each)[1])[:most]
        ]
        # The newest first, so that the oldest of each content is the one that stays.
        firsts = {_content(definition): definition["revision"] for definition in definitions}
        for definition in definitions:
            registered = definition.get("registeredAt")
            first = firsts[_content(definition)]
            found.append(
                Revision(
                    number=definition["revision"],
                    image=definition["containerDefinitions"][0].get("image", ""),
                    registered_at=0.0 if registered is None else registered.timestamp(),
                    active=definition.get("status") == "ACTIVE",
                    current=definition["revision"] == number,
                    copy_of=None if first == definition["revision"] else first,
                )
            )
    return found


def before_current(revisions: Sequence[Revision]) -> Revision | None:
    """The revision before the one that runs; None where there is none.

    Where a rollback was before, that is the one before its target: the revision that it left does not come back.

    Args:
        revisions: The revisions, the newest first.
    """
    current = next((each.copy_of or each.number for each in revisions if each.current), None)
    return next((each for each in revisions if current is not None and each.number < current), None)


def roll_back(aws: Aws, worker: ServiceWorker, number: int) -> str:
    """Let a worker's service run an earlier revision; ECS replaces its tasks one after the other.

    A deployment has retired that revision, so it is registered once more as it was. The next deployment goes on from
    what the stack describes.

    Args:
        aws: Its AWS.
        worker: The worker.
        number: The revision.

    Returns:
        The family and revision that runs now.

    Raises:
        OperationsError: There is no such revision, or AWS refuses.
    """
    family, current = _parted(service_of(aws, worker).task_definition)
    if number == current:
        raise OperationsError(f"{worker.short_name} runs revision {number} already.")
    ecs = aws.client("ecs")
    with answered(sign_in=aws.place.sign_in):
        definition = ecs.describe_task_definition(taskDefinition=f"{family}:{number}")["taskDefinition"]
        target = f"{family}:{number}"
        if definition.get("status") != "ACTIVE":
            kept: dict[str, Any] = {name: definition[name] for name in _KEPT if definition.get(name) is not None}
            target = _named(ecs.register_task_definition(**kept)["taskDefinition"])
        ecs.update_service(cluster=worker.cluster, service=worker.service, taskDefinition=target)
    return target


def _content(definition: Mapping[str, Any]) -> str:
    return json.dumps({name: definition.get(name) for name in _KEPT}, sort_keys=True, default=str)


def _parted(arn: str) -> tuple[str, int]:
    family, _, number = arn.rpartition("/")[2].partition(":")
    return family, int(number)


def _named(definition: dict[str, Any]) -> str:
    return f"{definition['family']}:{definition['revision']}"
