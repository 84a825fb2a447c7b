"""More tasks for a while: a higher least number, which goes back by itself."""

from datetime import UTC, datetime

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.pauses import pause_of
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.workers import ServiceWorker, service_of

_DIMENSION = "ecs:service:DesiredCount"
#: The scheduled action that sets the bounds from before; there is one at most.
ACTION = "fargate-workers-scale-back"


def scale(aws: Aws, worker: ServiceWorker, *, least: int, lasting: float, clock: Clock) -> float:
    """Let a worker have a number of tasks at least, for a while. Scaling goes on above it.

    What brings the bounds back is set up first, so that an interruption leaves nothing raised.

    Args:
        aws: Its AWS.
        worker: The worker.
        least: The tasks.
        lasting: For how many seconds.
        clock: The time.

    Returns:
        When it ends, in seconds since 1970.

    Raises:
        OperationsError: The number is outside the worker's bounds, it is paused, or AWS refuses.
    """
    bounds = worker.scaling
    if pause_of(service_of(aws, worker).tags) is not None:
        raise OperationsError(f"{worker.short_name} is paused; resume it first.")
    if not bounds.min_tasks <= least <= bounds.max_tasks:
        raise OperationsError(
            f"{worker.short_name} has {bounds.min_tasks} to {bounds.max_tasks} tasks; {least} is outside. More takes a "
            "higher max_tasks and a deployment."
        )
    end = clock.now() + lasting
    at = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    scaling = aws.client("application-autoscaling")
    target = {"ServiceNamespace": "ecs", "ResourceId": bounds.resource_id, "ScalableDimension": _DIMENSION}
    with answered(sign_in=aws.place.sign_in):
        scaling.put_scheduled_action(
            **target,
            ScheduledActionName=ACTION,
            Schedule=f"at({at})",
            ScalableTargetAction={"MinCapacity": bounds.min_tasks, "MaxCapacity": bounds.max_tasks},
        )
        scaling.register_scalable_target(**target, MinCapacity=least, MaxCapacity=bounds.max_tasks)
    return end
