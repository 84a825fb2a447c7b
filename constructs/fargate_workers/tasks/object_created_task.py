"""A Fargate task for each object that arrives in a bucket."""

from typing import Any, Unpack, cast

from aws_cdk import Stack
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fargate_workers.alarms import Alerts, add_alarm, undelivered_queue
from fargate_workers.alarms.catalogue import event_target_alarms
from fargate_workers.cloudformation import allow, object_created, switch_on_event_bridge
from fargate_workers.cluster import WorkerCluster
from fargate_workers.compliance import acknowledge
from fargate_workers.stores import DeduplicationTable, RedisCache
from fargate_workers.tasks.run_task import environment_override, run_task
from fargate_workers.tasks.task_construct import TaskConstruct, TaskNeeds
from fargate_workers.tasks.task_options import TaskOptions

RETRIES = 3
# As many connect to a cache at once; more share its reserve.
MOST_AT_ONCE = 20
MAXIMUM_AGE_SECONDS = 2 * 3_600

_PATHS = {
    "bucket": "$.detail.bucket.name",
    "key": "$.detail.object.key",
    "version": "$.detail.object.version-id",
    "sequencer": "$.detail.object.sequencer",
    "size": "$.detail.object.size",
    "etag": "$.detail.object.etag",
}
# Bare placeholders become JSON strings, whatever quotes a key contains, and "" where the event has no such path. The
# size is a number, which the quotes turn into the string an environment variable must be.
_VARIABLES = {
    "OBJECT_BUCKET": "<bucket>",
    "OBJECT_KEY": "<key>",
    "OBJECT_VERSION_ID": "<version>",
    "OBJECT_SEQUENCER": "<sequencer>",
    "OBJECT_SIZE": '"<size>"',
    "OBJECT_ETAG": "<etag>",
}


class ObjectCreatedTask(TaskConstruct):
    """A Fargate task that EventBridge starts for each new object of a bucket, or of a part of it.

        ObjectCreatedTask(self, "ImportBulk", cluster=cluster, image=image, bucket=files, prefix="bulk/", suffix=".csv")

    For rare, large objects: starting a task takes most of a minute, and ECS starts only so many a second. Send many or
    small objects through a queue: `QueueWorker.on_object_created`.

    The container reads its object from OBJECT_BUCKET, OBJECT_KEY, OBJECT_VERSION_ID (empty without versioning),
    OBJECT_SEQUENCER, OBJECT_SIZE and OBJECT_ETAG, and may read objects under `prefix`, and no others. An event may come
    twice; bucket, key, version and sequencer together identify it. A start that AWS refuses is tried 3 times more
    within 2 hours, then the event goes to a dead-letter queue, with an alarm.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct, and the task's name in alarms and logs.
        cluster: The cluster that runs the tasks.
        image: The container image; see `worker_image`.
        bucket: The bucket. One of this app is switched on to send events to EventBridge, by a property; an imported one
            must send them already.
        prefix: How the keys begin. Defaults to any way.
        suffix: How the keys end. Defaults to any way.
        spot: Whether to run on spare capacity, at a third of the price, which AWS may take back. Defaults to False.
        claims: The store by which a task for an object that was announced twice does nothing, a DeduplicationTable or a
            RedisCache with eviction="noeviction". Defaults to none.
        cache: A cache to connect to, with its usual number of connections for twenty tasks at once. Defaults to none.
        alerts: The alerts that receive the alarms. Defaults to the cluster's.
        options: The task's own: command, size, architecture, variables and secrets; see `TaskOptions`.

    Attributes:
        task: The task.
        bucket: The bucket.
        rule: The rule that starts it.
        dead_letter_queue_arn: The queue for events whose start AWS refused.
        alarms: The alarms, by the id of their definition.

    Raises:
        ConfigurationError: The bucket is of another account or region, or claims and cache do not fit together.
        TypeError: There is no such option.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        image: ecs.ContainerImage,
        bucket: s3.IBucket,
        prefix: str | None = None,
        suffix: str | None = None,
        spot: bool = False,
        claims: DeduplicationTable | RedisCache | None = None,
        cache: RedisCache | None = None,
        alerts: Alerts | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        super().__init__(
            scope,
            id,
            cluster=cluster,
            image=image,
            claims=claims,
            cache=cache,
            alerts=alerts,
            max_tasks=MOST_AT_ONCE,
            options=options,
            needs=lambda: TaskNeeds(managed_policies=[_may_read(self, bucket, f"{id}Reads", prefix or "")]),
        )
        self.bucket: s3.IBucket = bucket
        switch_on_event_bridge(bucket, rules_in=self)
        self.dead_letter_queue_arn: str = undelivered_queue(self, self.alerts).arn
        run = run_task(self, "events", self.task, dead_letter_queue_arn=self.dead_letter_queue_arn, spot=spot)
        self.rule: events.CfnRule = events.CfnRule(
            self,
            "Rule",
            event_pattern=object_created(bucket.bucket_name, prefix=prefix, suffix=suffix),
            targets=[
                events.CfnRule.TargetProperty(
                    id="Task",
                    arn=cluster.cluster_arn,
                    role_arn=run.role_arn,
                    ecs_parameters=run.parameters,
                    input_transformer=events.CfnRule.InputTransformerProperty(
                        input_paths_map=_PATHS, input_template=environment_override(self.task, _VARIABLES)
                    ),
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self.dead_letter_queue_arn),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_retry_attempts=RETRIES, maximum_event_age_in_seconds=MAXIMUM_AGE_SECONDS
                    ),
                )
            ],
        )
        for alarm in event_target_alarms(rule_name=self.rule.ref):
            self.alarms[alarm.id] = add_alarm(
                self,
                alarm,
                subject=self.task.qualified_name,
                alerts=self.alerts,
                environment=cluster.environment,
            )


def _may_read(task: Construct, bucket: s3.IBucket, id: str, prefix: str) -> iam.ManagedPolicy:
    """A policy beside the bucket, so that what may be done with its objects is read in one place."""
    objects = f"{bucket.bucket_arn}/{prefix}*"
    statements = [
        allow(["s3:GetObject", "s3:GetObjectVersion"], objects),
        # Without it, an object that is gone looks like one that is forbidden.
        allow(["s3:ListBucket"], bucket.bucket_arn, conditions={"StringLike": {"s3:prefix": f"{prefix}*"}}),
    ]
    if (key := bucket.encryption_key) is not None:
        statements.append(allow(["kms:Decrypt"], key.key_arn))
    taken = bucket.node.try_find_child(id) is not None  # by a task of the same id, elsewhere
    policy = iam.ManagedPolicy(
        cast("Construct", bucket),
        f"{id}{task.node.addr}" if taken else id,
        document=iam.PolicyDocument.from_json({"Statement": statements}),
    )
    written = _as_written(Stack.of(policy).resolve(objects))
    acknowledge(
        policy,
        {
            f"AwsSolutions-IAM5[Resource::{written}]": "Objects have the names their senders give them; the wildcard "
            f"stands for those, in one bucket, under {prefix or 'any prefix'}."
        },
    )
    return policy


def _as_written(resolved: Any) -> str:
    """A resolved token as cdk-nag writes it: `<Files.Arn>`, `arn:<AWS::Partition>:s3:::files`."""
    match resolved:
        case {"Fn::GetAtt": [resource, attribute]}:
            return f"<{resource}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::Join": [delimiter, parts]}:
            return str(delimiter).join(_as_written(part) for part in parts)
        case _:
            return str(resolved)
