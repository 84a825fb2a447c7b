"""A Fargate task for each object that arrives in a bucket."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import jsii
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from fargate_workers._acknowledge import acknowledge
from fargate_workers._around_task import AroundTask
from fargate_workers._qualified_name import qualify
from fargate_workers._run_task import environment_override, run_task
from fargate_workers._service_queue import undelivered_queue
from fargate_workers._service_role import allow
from fargate_workers.alarm import add_alarm
from fargate_workers.alarm_catalogue import event_target_alarms
from fargate_workers.alerts import Alerts
from fargate_workers.container_image import Architecture
from fargate_workers.deduplication_table import DeduplicationTable
from fargate_workers.event_bridge import object_created, switch_on_event_bridge
from fargate_workers.worker_cluster import WorkerCluster
from fargate_workers.worker_task import WorkerTask

RETRIES = 3
MAXIMUM_AGE_SECONDS = 2 * 3_600

_PATHS = {
    "bucket": "$.detail.bucket.name",
    "key": "$.detail.object.key",
    "version": "$.detail.object.version-id",
    "sequencer": "$.detail.object.sequencer",
    "size": "$.detail.object.size",
    "etag": "$.detail.object.etag",
}
# Bare placeholders become JSON strings, whatever quotes a key contains. The size is a number, which the quotes turn
# into the string an environment variable must be.
_VARIABLES = {
    "OBJECT_BUCKET": "<bucket>",
    "OBJECT_KEY": "<key>",
    "OBJECT_VERSION_ID": "<version>",
    "OBJECT_SEQUENCER": "<sequencer>",
    "OBJECT_SIZE": '"<size>"',
    "OBJECT_ETAG": "<etag>",
}


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class ObjectCreatedTask(AroundTask, Construct):
    """A Fargate task that EventBridge starts for each new object of a bucket, or of a part of it.

        ObjectCreatedTask(self, "ImportBulk", cluster=cluster, image=image, bucket=files, prefix="bulk/", suffix=".csv")

    For rare, large objects: starting a task takes most of a minute, and ECS starts only so many a second. For many or
    small objects let them queue up: `QueueWorker.on_object_created`.

    The container learns its object from OBJECT_BUCKET, OBJECT_KEY, OBJECT_VERSION_ID (empty without versioning),
    OBJECT_SEQUENCER, OBJECT_SIZE and OBJECT_ETAG, and may read objects under `prefix`, and no others. An event may come
    twice; bucket, key, version and sequencer together tell. A start that AWS refuses is tried 3 times more within
    2 hours, then the event goes to a dead-letter queue, with an alarm.

    bucket: Ours, whose announcements to EventBridge are switched on here by a property; or an imported one that
        announces its objects already.
    prefix, suffix: Which keys count. Default: all.
    command, cpu, memory_mib, architecture, environment, secrets: As for every WorkerTask.
    spot: Whether to run on spare capacity, at a third of the price, which AWS may take back. Default: no.
    claims: The table by which a task for an object that was announced twice does nothing. Default: none.
    alerts: Who is told. Default: the cluster's.
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
        command: Sequence[str] | None = None,
        cpu: int = 256,
        memory_mib: int = 512,
        architecture: Architecture = "arm64",
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        spot: bool = False,
        claims: DeduplicationTable | None = None,
        alerts: Alerts | None = None,
    ) -> None:
        super().__init__(scope, id)
        switch_on_event_bridge(bucket)
        self.task = WorkerTask(
            self,
            "Task",
            cluster=cluster,
            image=image,
            name=id,
            qualified_name=qualify(scope, id),
            command=command,
            cpu=cpu,
            memory_mib=memory_mib,
            architecture=architecture,
            environment=environment,
            secrets=secrets,
            uses=[] if claims is None else [claims.access],
            managed_policies=[_may_read(bucket, f"{id}Reads", prefix or "")],
        )
        alerts = cluster.alerts if alerts is None else alerts
        self.dead_letter_queue_arn = undelivered_queue(self, alerts).arn
        run = run_task(self, "events", self.task, dead_letter_queue_arn=self.dead_letter_queue_arn, spot=spot)
        self.rule = events.CfnRule(
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
        self.alarms = {
            alarm.id: add_alarm(self, alarm, subject=id, alerts=alerts)
            for alarm in event_target_alarms(rule_name=self.rule.ref)
        }


def _may_read(bucket: s3.IBucket, id: str, prefix: str) -> iam.ManagedPolicy:
    """A policy beside the bucket, so that what may be done with its objects is read in one place."""
    objects = f"{bucket.bucket_arn}/{prefix}*"
    statements = [allow(["s3:GetObject", "s3:GetObjectVersion"], objects)]
    if (key := bucket.encryption_key) is not None:
        statements.append(allow(["kms:Decrypt"], key.key_arn))
    policy = iam.ManagedPolicy(
        cast("Construct", bucket), id, document=iam.PolicyDocument.from_json({"Statement": statements})
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
