"""Event patterns of tasks that ended in trouble, and the rules that send them as alerts."""

from collections.abc import Mapping, Sequence
from typing import Any

from constructs import Construct

from fargate_workers.alarms import Alerts
from fargate_workers.cloudformation import arn, event_rule
from fargate_workers.cluster.worker_cluster import WorkerCluster
from fargate_workers.errors import ConfigurationError

Pattern = Mapping[str, Any]

# A sidecar's exit code says nothing of the work: agents that are stopped early end with 2 or 137.
CONTAINER = "worker"

_FAILED_TO_START = {"stopCode": ["TaskFailedToStart"]}


def _ended(exit_code: Sequence[Any], **more: Sequence[Any]) -> Pattern:
    """EventBridge takes all of these from one element of the array, never from two containers."""
    return {
        "stopCode": ["EssentialContainerExited"],
        "containers": {"name": [CONTAINER], "exitCode": exit_code, **more},
    }


# ECS leaves the exit code out when it could not inspect the container. EventBridge matches fields alphabetically:
# without an earlier field of the same container, the exit code would have to be missing from every container.
# https://github.com/aws/event-ruler (ACFinder)
_EXITED_WITH_AN_ERROR = (
    _ended([{"anything-but": [0]}]),
    _ended([{"exists": False}]),
    _ended([{"exists": False}], containerArn=[{"exists": True}]),
)
# The one thing the service scheduler does on its own that is news: scale-in and deployments are not.
_UNHEALTHY = {
    "stopCode": ["ServiceSchedulerInitiated"],
    "stoppedReason": [{"prefix": "Task failed container health checks"}],
}
_TAKEN_BACK = {"stopCode": ["SpotInterruption", "TerminationNotice", "InfrastructureHealth"]}


def trouble(cluster_arn: str) -> Pattern:
    """Tasks that never started, exited with an error or stopped being healthy; what people and scale-in stop is not.

    The worker's own container decides how a task exited, and one without an exit code is an error.
    """
    return _stopped({"clusterArn": [cluster_arn], "$or": [_FAILED_TO_START, *_EXITED_WITH_AN_ERROR, _UNHEALTHY]})


def taken_back(cluster_arn: str) -> Pattern:
    """Tasks that AWS took back: Spot capacity, retired or failed hardware. Another task takes over."""
    return _stopped({"clusterArn": [cluster_arn], **_TAKEN_BACK})


def run_succeeded(cluster_arn: str, group: str) -> Pattern:
    """Runs of one task group (`family:<task definition family>`) that ended with exit code 0."""
    return _stopped({"clusterArn": [cluster_arn], "group": [group], **_ended([0])})


def run_failed(cluster_arn: str, group: str) -> Pattern:
    """Runs of one task group that ended in any way but with exit code 0."""
    return _stopped(
        {
            "clusterArn": [cluster_arn],
            "group": [group],
            "$or": [*_EXITED_WITH_AN_ERROR, {"stopCode": [{"anything-but": ["EssentialContainerExited"]}]}],
        }
    )


def service_in_trouble(service_arn_prefix: str) -> Pattern:
    """Services that cannot start or place tasks, and deployments the circuit breaker gave up."""
    return {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Service Action", "ECS Deployment State Change"],
        "resources": [{"prefix": service_arn_prefix}],
        "detail": {
            "eventName": [
                "SERVICE_TASK_START_IMPAIRED",
                "SERVICE_TASK_PLACEMENT_FAILURE",
                "SERVICE_DEPLOYMENT_FAILED",
            ]
        },
    }


def _stopped(detail: Mapping[str, Any]) -> Pattern:
    return {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"lastStatus": ["STOPPED"], **detail},
    }


# What a message about a task says besides.
TASK = {
    "task": "$.detail.taskArn",
    "group": "$.detail.group",
    "stop_code": "$.detail.stopCode",
    "stopped_reason": "$.detail.stoppedReason",
    "containers": "$.detail.containers",
}
SERVICE = {"service": "$.resources", "event": "$.detail.eventName", "reason": "$.detail.reason"}


class StoppedTasks(Construct):
    """Three rules that send alerts about a cluster's tasks and services, without the noise of scaling and deploying.

        StoppedTasks(cluster, "StoppedTasks", cluster=cluster)

    They send tasks that stop in trouble, services that cannot start tasks, and deployments that fail. An alert is JSON:
    what happened, the task and its group, why it stopped, and each container's exit code and reason.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        cluster: The cluster whose tasks are watched.
        alerts: The alerts that receive them. Defaults to the cluster's.

    Raises:
        ConfigurationError: There are no alerts, neither here nor at the cluster.
    """

    def __init__(self, scope: Construct, id: str, *, cluster: WorkerCluster, alerts: Alerts | None = None) -> None:
        super().__init__(scope, id)
        alerts = cluster.alerts if alerts is None else alerts
        if alerts is None:
            raise ConfigurationError(f"{id}: the cluster has no alerts; give alerts= here, or to the cluster.")
        services = arn("ecs", f"service/{cluster.cluster_name}/")
        for name, label, pattern, paths in (
            ("Trouble", "A task stopped in trouble.", trouble(cluster.cluster_arn), TASK),
            ("TakenBack", "For information: AWS took a task back.", taken_back(cluster.cluster_arn), TASK),
            ("Services", "A service cannot start tasks or deploy.", service_in_trouble(services), SERVICE),
        ):
            event_rule(
                self,
                name,
                label=label,
                pattern=pattern,
                paths=paths,
                target_arn=alerts.topic_arn,
                dead_letter_queue_arn=alerts.undelivered.arn,
            )
