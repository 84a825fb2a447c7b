"""What the commands of someone on call do in AWS, as statements: reading, and changing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers.cloudformation import allow, arn
from fargate_workers.tasks import ObjectCreatedTask, TaskConstruct
from fargate_workers.workers import QueueWorker

#: What AWS narrows to no resource, or what is asked before a resource is known.
READ_ANYWHERE = (
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingActivities",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetAlarmMuteRule",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListAlarmMuteRules",
    "ecs:DescribeTaskDefinition",
    "lambda:GetAccountSettings",
    "logs:DescribeLogGroups",
    "servicequotas:GetServiceQuota",
    "sts:GetCallerIdentity",
    "tag:GetResources",
)
CHANGE_ANYWHERE = (
    "ecs:ListTaskDefinitions",
    "ecs:RegisterTaskDefinition",
    "scheduler:GetSchedule",
    "scheduler:ListSchedules",
)


@dataclass(frozen=True, kw_only=True)
class Operated:
    """The ARNs of what the commands look at.

    Args:
        services: ECS services.
        tasks: ECS tasks, patterns.
        stacks: Stacks, patterns.
        log_groups: Log groups.
        queues: Queues that workers drain.
        dead_letter_queues: Their dead-letter queues.
        keys: Customer-managed keys of either.
        topics: Topics that alarms notify.
        topic_keys: Customer-managed keys of these.
        roles: The roles of tasks.
        rules: Rules that start tasks.
        buckets: The buckets of their objects.
        functions: Redrive functions.
        tables: Tables of claims.
    """

    services: Sequence[str]
    tasks: Sequence[str]
    stacks: Sequence[str]
    log_groups: Sequence[str]
    queues: Sequence[str]
    dead_letter_queues: Sequence[str]
    keys: Sequence[str]
    topics: Sequence[str]
    topic_keys: Sequence[str]
    roles: Sequence[str]
    rules: Sequence[str]
    buckets: Sequence[str]
    functions: Sequence[str]
    tables: Sequence[str]


def operated(
    workers: Sequence[QueueWorker],
    *,
    functions: Sequence[str],
    tables: Sequence[str],
    tasks: Sequence[TaskConstruct],
) -> Operated:
    """What belongs to workers and tasks.

    Args:
        workers: The workers, each with a queue.
        functions: The ARNs of redrive functions.
        tables: The ARNs of tables of claims.
        tasks: Tasks that are started by hand.
    """
    alerts = list(dict.fromkeys(worker.alerts for worker in workers if worker.alerts is not None))
    of_objects = [task for task in tasks if isinstance(task, ObjectCreatedTask)]
    clusters = dict.fromkeys(worker.cluster.cluster_name for worker in workers)
    return Operated(
        services=[arn("ecs", f"service/{worker.cluster.cluster_name}/{worker.service_name}") for worker in workers],
        tasks=[arn("ecs", f"{kind}/{cluster}/*") for cluster in clusters for kind in ("task", "container-instance")],
        stacks=[
            arn("cloudformation", f"stack/{name}/*")
            for name in dict.fromkeys(worker.task.qualified_name.partition("/")[0] for worker in workers)
        ],
        log_groups=[worker.task.log_group.log_group_arn for worker in workers],
        queues=[worker.worker_queue.queue_arn for worker in workers],
        dead_letter_queues=[worker.worker_queue.dead_letter_queue_arn for worker in workers],
        keys=list(dict.fromkeys(key for worker in workers for key in worker.worker_queue.key_arns)),
        topics=[each.topic_arn for each in alerts],
        topic_keys=[key.key_arn for each in alerts if (key := each.key or each.topic.master_key) is not None],
        roles=[
            role.role_arn for each in (*workers, *tasks) for role in (each.task.task_role, each.task.execution_role)
        ],
        rules=[task.rule.attr_arn for task in of_objects],
        buckets=list(dict.fromkeys(task.bucket.bucket_arn for task in of_objects)),
        functions=functions,
        tables=tables,
    )


def reading(operated: Operated) -> list[Mapping[str, Any]]:
    """What `status`, `doctor`, `tail`, `dead-letters list` and `dead-letters show` take.

    Args:
        operated: What they look at.
    """
    statements: list[Mapping[str, Any]] = [
        allow(READ_ANYWHERE, "*"),
        allow(["ecs:DescribeServices"], *operated.services),
        allow(["ecs:DescribeTasks", "ecs:GetTaskProtection", "ecs:ListTasks"], *operated.tasks),
        allow(["cloudformation:DescribeStacks"], *operated.stacks),
        allow(["logs:FilterLogEvents"], *operated.log_groups),
        allow(["ssm:GetParameter"], arn("ssm", "parameter/cdk-bootstrap/*")),
        allow(["sqs:GetQueueAttributes"], *operated.queues, *operated.dead_letter_queues),
        # A look leases letters and releases them.
        allow(["sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"], *operated.dead_letter_queues),
    ]
    if operated.topics:
        statements.append(allow(["sns:ListSubscriptionsByTopic"], *operated.topics))
    if operated.tables:
        statements.append(allow(["dynamodb:GetItem"], *operated.tables))
    if operated.keys:
        statements.append(allow(["kms:Decrypt"], *operated.keys))
    return statements


def changing(operated: Operated) -> list[Mapping[str, Any]]:
    """What the other commands take besides.

    Args:
        operated: What they change.
    """
    statements: list[Mapping[str, Any]] = [
        allow(CHANGE_ANYWHERE, "*"),
        allow(["sqs:DeleteMessage"], *operated.dead_letter_queues),
        allow(["sqs:SendMessage"], *operated.queues),
        allow(["ecs:TagResource", "ecs:UntagResource", "ecs:UpdateService"], *operated.services),
        allow(["ecs:RunTask"], arn("ecs", "task-definition/*")),
        allow(
            ["application-autoscaling:PutScheduledAction", "application-autoscaling:RegisterScalableTarget"],
            arn("application-autoscaling", "scalable-target/*"),
        ),
        allow(["cloudwatch:PutAlarmMuteRule"], arn("cloudwatch", "alarm-mute:*"), arn("cloudwatch", "alarm:*")),
        allow(["cloudwatch:SetAlarmState"], arn("cloudwatch", "alarm:*")),
        allow(
            ["iam:PassRole"],
            *operated.roles,
            conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        ),
    ]
    if operated.topics:
        statements.append(allow(["sns:Publish"], *operated.topics))
    if operated.topic_keys:
        statements.append(allow(["kms:Decrypt", "kms:GenerateDataKey"], *operated.topic_keys))
    if operated.rules:
        # By its versions an object is found without being read.
        statements += [
            allow(["events:DescribeRule", "events:ListTargetsByRule"], *operated.rules),
            allow(["s3:ListBucketVersions"], *operated.buckets),
        ]
    if operated.functions:
        statements.append(allow(["lambda:InvokeFunction"], *operated.functions))
    if operated.keys:
        statements.append(allow(["kms:GenerateDataKey"], *operated.keys))
    return statements


def function_arn(name: str) -> str:
    """The ARN of a function.

    Args:
        name: Its name.
    """
    return arn("lambda", f"function:{name}")
