"""Pause and resume of a service: suspended scaling, no tasks, and a note of what was before."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.pauses.pause import NAMES, ServicePause, pause_of
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import ServiceWorker, service_of

#: The kinds of scaling, by AWS's names.
#: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-suspend-resume-scaling.html
KINDS = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")

_DIMENSION = "ecs:service:DesiredCount"


def pause_service(
    aws: Aws, worker: ServiceWorker, *, by: str, why: str, until: float | None, clock: Clock
) -> ServicePause:
    """Stop a worker until somebody resumes it. Tasks in the middle of a message finish it first.

    Interrupted at any moment, it is paused once more, or resumed: what was before is noted first.

    Args:
        aws: Its AWS.
        worker: The worker.
        by: Who pauses it.
        why: Why.
        until: Until when it is meant to last, in seconds since 1970. None: no end.
        clock: The time.

    Returns:
        The pause. A worker that is paused already keeps the numbers from before.

    Raises:
        OperationsError: AWS refuses.
    """
    service = service_of(aws, worker)
    before = pause_of(service.tags)
    if before is None:
        noted = ServicePause(
            by=by,
            why=why,
            at=clock.now(),
            until=until,
            min_tasks=worker.scaling.min_tasks,
            max_tasks=worker.scaling.max_tasks,
            desired=service.desired,
        )
    else:
        noted = replace(before, by=by, why=why, at=clock.now(), until=until)
        if worker.scaling.max_tasks:  # a deployment has set bounds since
            noted = replace(noted, min_tasks=worker.scaling.min_tasks, max_tasks=worker.scaling.max_tasks)
    with answered(sign_in=aws.place.sign_in):
        if until is None and before is not None and before.until is not None:
            _forget(aws, service.arn, [name for name in NAMES if name.endswith("until")])
        _note(aws, service.arn, noted.as_tags())
        # Bounds of 0 alone are undone by the next deployment, suspension alone keeps the tasks that run.
        _register(aws, worker, 0, 0, suspended=True)
        _want(aws, worker, 0)
    return noted


def resume_service(aws: Aws, worker: ServiceWorker) -> ServicePause:
    """Give a paused worker back its bounds, its scaling and its tasks.

    Args:
        aws: Its AWS.
        worker: The worker.

    Returns:
        The pause that ended; its numbers are those that were restored.

    Raises:
        OperationsError: It is not paused, or AWS refuses.
    """
    service = service_of(aws, worker)
    noted = pause_of(service.tags)
    if noted is None:
        raise OperationsError(f"{worker.short_name} is not paused: its service has no tag that says so.")
    if worker.scaling.max_tasks:  # a deployment has set bounds since, and they are the newer ones
        noted = replace(noted, min_tasks=worker.scaling.min_tasks, max_tasks=worker.scaling.max_tasks)
    restored = replace(noted, desired=min(max(noted.desired, noted.min_tasks), noted.max_tasks))
    with answered(sign_in=aws.place.sign_in):
        _register(aws, worker, restored.min_tasks, restored.max_tasks, suspended=False)
        _want(aws, worker, restored.desired)
        _forget(aws, service.arn, NAMES)
    return restored


def _register(aws: Aws, worker: ServiceWorker, least: int, most: int, *, suspended: bool) -> None:
    aws.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=worker.scaling.resource_id,
        ScalableDimension=_DIMENSION,
        MinCapacity=least,
        MaxCapacity=most,
        SuspendedState=dict.fromkeys(KINDS, suspended),
    )


def _want(aws: Aws, worker: ServiceWorker, tasks: int) -> None:
    aws.client("ecs").update_service(cluster=worker.cluster, service=worker.service, desiredCount=tasks)


def _note(aws: Aws, arn: str, values: Mapping[str, str]) -> None:
    aws.client("ecs").tag_resource(
        resourceArn=arn, tags=[{"key": name, "value": value} for name, value in values.items()]
    )


def _forget(aws: Aws, arn: str, names: Collection[str]) -> None:
    aws.client("ecs").untag_resource(resourceArn=arn, tagKeys=list(names))
