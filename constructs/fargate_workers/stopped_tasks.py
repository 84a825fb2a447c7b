"""Which ends of a task are trouble, as event patterns; and the rules that tell of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from constructs import Construct

from fargate_workers._aws import arn
from fargate_workers._event_rule import event_rule

if TYPE_CHECKING:
    from fargate_workers.alerts import Alerts
    from fargate_workers.worker_cluster import WorkerCluster

Pattern = Mapping[str, Any]

_FAILED_TO_START = {"stopCode": ["TaskFailedToStart"]}
_EXITED_WITH_AN_ERROR = {
    "stopCode": ["EssentialContainerExited"],
    "containers": {"exitCode": [{"anything-but": [0]}]},
}
# The one thing the service scheduler does on its own that is news: scale-in and deployments are not.
_UNHEALTHY = {
    "stopCode": ["ServiceSchedulerInitiated"],
    "stoppedReason": [{"prefix": "Task failed container health checks"}],
}
_TAKEN_BACK = {"stopCode": ["SpotInterruption", "TerminationNotice", "InfrastructureHealth"]}


def trouble(cluster_arn: str) -> Pattern:
    """Tasks that never started, exited with an error or stopped being healthy; what people and scale-in stop is not."""
    return _stopped({"clusterArn": [cluster_arn], "$or": [_FAILED_TO_START, _EXITED_WITH_AN_ERROR, _UNHEALTHY]})


def taken_back(cluster_arn: str) -> Pattern:
    """Tasks that AWS took back: Spot capacity, retired or failed hardware. Another task takes over."""
    return _stopped({"clusterArn": [cluster_arn], **_TAKEN_BACK})


def run_succeeded(cluster_arn: str, group: str) -> Pattern:
    """Runs of one task group (`family:<task definition family>`) that ended with exit code 0."""
    return _stopped(
        {
            "clusterArn": [cluster_arn],
            "group": [group],
            "stopCode": ["EssentialContainerExited"],
            "containers": {"exitCode": [0]},
        }
    )


def run_failed(cluster_arn: str, group: str) -> Pattern:
    """Runs of one task group that ended in any way but with exit code 0."""
    return _stopped(
        {
            "clusterArn": [cluster_arn],
            "group": [group],
            "$or": [_EXITED_WITH_AN_ERROR, {"stopCode": [{"anything-but": ["EssentialContainerExited"]}]}],
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
    """Three rules that turn what ECS says about a cluster into alerts, without the noise of scaling and deploying.

    An alert is JSON: what happened, the task and its group, why it stopped, and each container's exit code and reason.
    """

    def __init__(self, scope: Construct, id: str, *, cluster: "WorkerCluster", alerts: "Alerts") -> None:
        super().__init__(scope, id)
        services = arn("ecs", f"service/{cluster.cluster_name}/")
        for name, says, pattern, paths in (
            ("Trouble", "A task stopped in trouble.", trouble(cluster.cluster_arn), TASK),
            ("TakenBack", "For information: AWS took a task back.", taken_back(cluster.cluster_arn), TASK),
            ("Services", "A service cannot start tasks or deploy.", service_in_trouble(services), SERVICE),
        ):
            event_rule(
                self,
                name,
                says=says,
                pattern=pattern,
                paths=paths,
                target_arn=alerts.topic_arn,
                dead_letter_queue_arn=alerts.undelivered.arn,
            )
