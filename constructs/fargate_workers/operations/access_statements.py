"""What the commands of someone on call do in AWS, as statements: reading, and changing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers.cloudformation import allow, arn
from fargate_workers.sources import OperatedSource
from fargate_workers.sources.sqs import WorkerQueue
from fargate_workers.tasks import ObjectCreatedTask, TaskConstruct
from fargate_workers.workers import QueueFunction, QueueWorker

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
        functions: Functions that drain queues.
        mappings: Their event source mappings.
        redrives: Redrive functions.
        tables: Tables of claims.
        sources: Sources that are reached by their own protocols, which name the permissions for that themselves.
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
    mappings: Sequence[str]
    redrives: Sequence[str]
    tables: Sequence[str]
    sources: Sequence[OperatedSource]


def operated(
    workers: Sequence[QueueWorker | QueueFunction],
    *,
    redrives: Sequence[str],
    tables: Sequence[str],
    tasks: Sequence[TaskConstruct],
) -> Operated:
    """What belongs to workers and tasks.

    Args:
        workers: The workers.
        redrives: The ARNs of redrive functions.
        tables: The ARNs of tables of claims.
        tasks: Tasks that are started by hand.
    """
    services = [worker for worker in workers if isinstance(worker, QueueWorker)]
    functions = [worker for worker in workers if isinstance(worker, QueueFunction)]
    queues = [worker.source for worker in services if isinstance(worker.source, WorkerQueue)]
    queues += [function.worker_queue for function in functions]
    clusters = dict.fromkeys(worker.cluster.cluster_name for worker in services)
    alerts = list(dict.fromkeys(worker.alerts for worker in workers if worker.alerts is not None))
    of_objects = [task for task in tasks if isinstance(task, ObjectCreatedTask)]
    return Operated(
        services=[arn("ecs", f"service/{worker.cluster.cluster_name}/{worker.service_name}") for worker in services],
        tasks=[arn("ecs", f"{kind}/{cluster}/*") for cluster in clusters for kind in ("task", "container-instance")],
        stacks=[
            arn("cloudformation", f"stack/{name}/*")
            for name in dict.fromkeys(_qualified_name(worker).partition("/")[0] for worker in workers)
        ],
        log_groups=[
            *(worker.task.log_group.log_group_arn for worker in services),
            *(worker.function.log_group.log_group_arn for worker in functions),
        ],
        queues=[queue.queue_arn for queue in queues],
        dead_letter_queues=[queue.dead_letter_queue_arn for queue in queues],
        keys=list(dict.fromkeys(key for queue in queues for key in queue.key_arns)),
        topics=[each.topic_arn for each in alerts],
        topic_keys=[key.key_arn for each in alerts if (key := each.key or each.topic.master_key) is not None],
        roles=[
            role.role_arn for each in (*services, *tasks) for role in (each.task.task_role, each.task.execution_role)
        ],
        rules=[task.rule.attr_arn for task in of_objects],
        buckets=list(dict.fromkeys(task.bucket.bucket_arn for task in of_objects)),
        functions=[function_arn(worker.function_name) for worker in functions],
        mappings=[worker.mapping.attr_event_source_mapping_arn for worker in functions],
        redrives=redrives,
        tables=tables,
        sources=[worker.source for worker in services if isinstance(worker.source, OperatedSource)],
    )


def reading(operated: Operated) -> list[Mapping[str, Any]]:
    """What `status`, `doctor`, `tail`, `dead-letters list` and `dead-letters show` take.

    Args:
        operated: What they look at.
    """
    statements: list[Mapping[str, Any]] = [
        allow(READ_ANYWHERE, "*"),
        allow(["cloudformation:DescribeStacks"], *operated.stacks),
        allow(["logs:FilterLogEvents"], *operated.log_groups),
        allow(["ssm:GetParameter"], arn("ssm", "parameter/cdk-bootstrap/*")),
    ]
    if operated.services:
        statements += [
            allow(["ecs:DescribeServices"], *operated.services),
            allow(["ecs:DescribeTasks", "ecs:GetTaskProtection", "ecs:ListTasks"], *operated.tasks),
        ]
    if operated.queues:
        statements += [
            allow(["sqs:GetQueueAttributes"], *operated.queues, *operated.dead_letter_queues),
            # A look leases letters and releases them.
            allow(["sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"], *operated.dead_letter_queues),
        ]
    if operated.functions:
        statements += [
            # AWS narrows it to no resource.
            allow(["lambda:ListEventSourceMappings"], "*"),
            allow(["lambda:GetFunctionConfiguration", "lambda:ListTags"], *operated.functions),
        ]
    statements += _once(statement for source in operated.sources for statement in source.looking)
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
        # As `mute` names its rules: the windows that stacks declare stay out of reach.
        allow(
            ["cloudwatch:DeleteAlarmMuteRule", "cloudwatch:PutAlarmMuteRule"],
            arn("cloudwatch", "alarm-mute-rule:fargate-workers-*"),
        ),
        allow(["cloudwatch:PutAlarmMuteRule"], arn("cloudwatch", "alarm:*")),
        allow(["cloudwatch:SetAlarmState"], arn("cloudwatch", "alarm:*")),
    ]
    if operated.services:
        statements += [
            allow(["ecs:TagResource", "ecs:UntagResource", "ecs:UpdateService"], *operated.services),
            allow(
                ["application-autoscaling:PutScheduledAction", "application-autoscaling:RegisterScalableTarget"],
                arn("application-autoscaling", "scalable-target/*"),
            ),
        ]
    if operated.roles:
        statements += [
            allow(["ecs:RunTask"], arn("ecs", "task-definition/*")),
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
    if operated.queues:
        statements += [
            allow(["sqs:DeleteMessage"], *operated.dead_letter_queues),
            allow(["sqs:SendMessage"], *operated.queues),
        ]
    if operated.functions:
        statements += [
            allow(["lambda:TagResource", "lambda:UntagResource"], *operated.functions),
            allow(["lambda:UpdateEventSourceMapping"], *operated.mappings),
        ]
    statements += _once(statement for source in operated.sources for statement in source.replaying)
    if operated.redrives:
        statements.append(allow(["lambda:InvokeFunction"], *operated.redrives))
    if operated.keys:
        statements.append(allow(["kms:GenerateDataKey"], *operated.keys))
    return statements


def function_arn(name: str) -> str:
    """The ARN of a function.

    Args:
        name: Its name.
    """
    return arn("lambda", f"function:{name}")


def _qualified_name(worker: QueueWorker | QueueFunction) -> str:
    return worker.task.qualified_name if isinstance(worker, QueueWorker) else worker.qualified_name


def _once(statements: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Each statement once: several workers may share a cluster or a cache."""
    found: list[Mapping[str, Any]] = []
    for statement in statements:
        if statement not in found:
            found.append(statement)
    return found
