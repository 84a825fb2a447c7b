"""What EventBridge and Scheduler need to start a task: in its network, with its tags, by a role for just that."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from constructs import Construct

from fargate_workers.cloudformation import allow, arn, service_role
from fargate_workers.cluster import CONTAINER
from fargate_workers.compliance import acknowledge
from fargate_workers.tasks.worker_task import WorkerTask

# How cdk-nag writes the beginning of our ARNs.
_AS_WRITTEN = "arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:"


# JSON text that leaves its single quotes for the shell's own clock; a time to make up for can stand in its place.
NOW = """"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'\""""


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
    family = task.task_definition.family
    role = service_role(
        scope,
        f"{service}.amazonaws.com",
        [
            allow(
                ["ecs:RunTask"],
                # Every revision: a rule and this policy change at different moments, and a start in between that is
                # denied is not tried again.
                arn("ecs", f"task-definition/{family}:*"),
                conditions={"ArnEquals": {"ecs:cluster": task.cluster.cluster_arn}},
            ),
            allow(
                ["iam:PassRole"],
                task.task_role.role_arn,
                task.execution_role.role_arn,
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
            allow(
                ["ecs:TagResource"],
                arn("ecs", "task/*"),
                conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
            ),
            # Scheduler sends dead letters in the role's name, EventBridge in its own.
            *([allow(["sqs:SendMessage"], dead_letter_queue_arn)] if service == "scheduler" else []),
        ],
    )
    for policy in role.policies:
        acknowledge(
            policy,
            {
                f"AwsSolutions-IAM5[Resource::{_AS_WRITTEN}task-definition/{family}:*]": "Revisions of one task "
                "definition, on one cluster.",
                f"AwsSolutions-IAM5[Resource::{_AS_WRITTEN}task/*]": "A task gets its id when it starts; only RunTask "
                "may tag it.",
            },
        )
    network = {
        "subnets": task.cluster.subnet_ids,
        "securityGroups": [task.security_group.security_group_id],
        "assignPublicIp": "ENABLED" if task.cluster.assign_public_ip else "DISABLED",
    }
    parameters = {
        "taskDefinitionArn": task.task_definition.task_definition_arn,
        "taskCount": 1,
        # As a service's tasks: without both, nobody's budget knows what they cost.
        "propagateTags": "TASK_DEFINITION",
        "enableEcsManagedTags": True,
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT" if spot else "FARGATE", "weight": 1}],
        # The two services spell the same thing differently.
        "networkConfiguration": {"awsvpcConfiguration" if service == "scheduler" else "awsVpcConfiguration": network},
    }
    return RunTask(parameters, role.role_arn)


def run_now(
    *,
    cluster_name: str,
    family: str,
    subnet_ids: Sequence[str],
    security_group_id: str,
    assign_public_ip: bool,
    variables: Mapping[str, str],
) -> str:
    """The command that runs a task at once, by AWS CLI 2; the value of a variable is JSON text, or `NOW`."""
    network = {
        "awsvpcConfiguration": {
            "subnets": list(subnet_ids),
            "securityGroups": [security_group_id],
            "assignPublicIp": "ENABLED" if assign_public_ip else "DISABLED",
        }
    }
    return (
        f"aws ecs run-task --cluster {cluster_name} --task-definition {family} --launch-type FARGATE "
        "--propagate-tags TASK_DEFINITION --enable-ecs-managed-tags "
        f"--network-configuration '{json.dumps(network, separators=(',', ':'))}' "
        f"--overrides '{override(CONTAINER, variables)}'"
    )


def environment_override(task: WorkerTask, variables: Mapping[str, str]) -> str:
    """The input that sets `variables` in the task's container; each value is JSON text, a bare placeholder or not."""
    return override(task.container_name, variables)


def override(container_name: str, variables: Mapping[str, str]) -> str:
    pairs = ",".join(f'{{"name":{json.dumps(name)},"value":{value}}}' for name, value in variables.items())
    return f'{{"containerOverrides":[{{"name":{json.dumps(container_name)},"environment":[{pairs}]}}]}}'
