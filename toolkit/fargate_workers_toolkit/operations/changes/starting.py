"""The start of a task as a schedule or a rule of EventBridge starts it."""

from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.places import Aws


def start(aws: Aws, name: str, target: Mapping[str, Any], overrides: Mapping[str, Any]) -> str:
    """Start a task by the target that a schedule or a rule has for it.

    Args:
        aws: The environment's AWS.
        name: The task's name, for the error.
        target: The target: the ARN of the cluster, and the parameters for ECS.
        overrides: What the schedule or the rule would override.

    Returns:
        The ARN of the ECS task.

    Raises:
        OperationsError: ECS does not start it, or AWS refuses.
    """
    parameters: Mapping[str, Any] = target["EcsParameters"]
    request: dict[str, Any] = {
        "cluster": target["Arn"],
        "taskDefinition": parameters["TaskDefinitionArn"],
        "overrides": overrides,
        "startedBy": "fargate-workers",
    }
    network = parameters.get("NetworkConfiguration", {}).get("awsvpcConfiguration", {})
    if network:
        # Their names begin with a capital, ECS's do not.
        request["networkConfiguration"] = {"awsvpcConfiguration": _lowered(network)}
    if strategy := parameters.get("CapacityProviderStrategy"):
        request["capacityProviderStrategy"] = [_lowered(each) for each in strategy]
    elif launch := parameters.get("LaunchType"):
        request["launchType"] = launch
    if parameters.get("PropagateTags"):
        request["propagateTags"] = parameters["PropagateTags"]
    if parameters.get("EnableECSManagedTags"):
        request["enableECSManagedTags"] = True
    with answered(sign_in=aws.place.sign_in):
        answer = aws.client("ecs").run_task(**request)
    if not answer["tasks"]:
        reasons = ", ".join(failure.get("reason", "unknown") for failure in answer.get("failures", []))
        raise OperationsError(f"ECS did not start {name}: {reasons or 'it gives no reason'}.")
    return answer["tasks"][0]["taskArn"]


def _lowered(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key[:1].lower() + key[1:]: each for key, each in value.items()}
