"""What EventBridge and Scheduler need to start a task: this very revision, in its network, by a role for just that."""

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from constructs import Construct

from fargate_workers._service_role import allow, service_role
from fargate_workers.worker_task import WorkerTask


class RunTask(NamedTuple):
    """`parameters` are either service's EcsParameters, as the CDK writes them in JavaScript."""

    parameters: dict[str, Any]
    role_arn: str


def run_task(
    scope: Construct,
    service: Literal["events", "scheduler"],
    task: WorkerTask,
    *,
    dead_letter_queue_arn: str,
    spot: bool,
) -> RunTask:
    task_definition_arn = task.task_definition.task_definition_arn
    role = service_role(
        scope,
        f"{service}.amazonaws.com",
        [
            allow(
                ["ecs:RunTask"],
                task_definition_arn,
                conditions={"ArnEquals": {"ecs:cluster": task.cluster.cluster_arn}},
            ),
            allow(
                ["iam:PassRole"],
                task.task_role.role_arn,
                task.execution_role.role_arn,
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
            # Scheduler sends dead letters in the role's name, EventBridge in its own.
            *([allow(["sqs:SendMessage"], dead_letter_queue_arn)] if service == "scheduler" else []),
        ],
    )
    network = {
        "subnets": task.cluster.subnet_ids,
        "securityGroups": [task.security_group.security_group_id],
        "assignPublicIp": "ENABLED" if task.cluster.assign_public_ip else "DISABLED",
    }
    parameters = {
        "taskDefinitionArn": task_definition_arn,
        "taskCount": 1,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT" if spot else "FARGATE", "weight": 1}],
        # The two services spell the same thing differently.
        "networkConfiguration": {"awsvpcConfiguration" if service == "scheduler" else "awsVpcConfiguration": network},
    }
    return RunTask(parameters, role.role.attr_arn)


def environment_override(task: WorkerTask, variables: Mapping[str, str]) -> str:
    """The input that sets `variables` in the task's container; each value is JSON text, a bare placeholder or not."""
    pairs = ",".join(f'{{"name":{json.dumps(name)},"value":{value}}}' for name, value in variables.items())
    return f'{{"containerOverrides":[{{"name":{json.dumps(task.container_name)},"environment":[{pairs}]}}]}}'
