"""A queue, its dead-letter queue, and the Fargate service that drains it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import jsii
from aws_cdk import Duration, Names
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from fargate_workers._around_task import AroundTask
from fargate_workers._aws import arn
from fargate_workers._durations import seconds
from fargate_workers._timing import in_seconds, in_words
from fargate_workers.alarm import add_alarm
from fargate_workers.alarm_catalogue import event_target_alarms, handler_failing_alarm, queue_worker_alarms
from fargate_workers.container_image import Architecture
from fargate_workers.deduplication_table import DeduplicationTable
from fargate_workers.event_bridge import object_created, switch_on_event_bridge
from fargate_workers.redis_cache import RedisCache
from fargate_workers.scaling import Scaling
from fargate_workers.worker_cluster import WorkerCluster
from fargate_workers.worker_queue import WorkerQueue
from fargate_workers.worker_task import WorkerTask

if TYPE_CHECKING:
    from fargate_workers.alerts import Alerts

CONCURRENCY = 10
MAX_PROCESSING = 900
ACCEPTABLE_AGE = 900
# Only our runtime says 3: in an image without it, or without Python, nothing is checked and nothing is killed.
HEALTH_COMMAND = ("CMD-SHELL", "python -m fargate_workers_runtime.health || [ $? -ne 3 ]")


@jsii.implements(iam.IGrantable, ec2.IConnectable)
class QueueWorker(AroundTask, Construct):
    """A queue, its dead-letter queue, and the Fargate service that drains it, with scaling and alarms.

        orders = QueueWorker(self, "Orders", cluster=cluster, image=worker_image("worker_image"))
        bucket.grant_read(orders)

    A deployment starts the new tasks before it stops the old ones (100 %/200 %) and is rolled back when they do not
    stay up, or when their handler keeps failing. The template has no desired count: it belongs to the scaling.

    cluster: Where the tasks run, and whom the alarms tell.
    image: What runs; see `WorkerTask` for how, and `worker_image`.
    command: Default: the image's own.
    queue: A `WorkerQueue`, of another stack too, or a queue of yours. Default: a new `WorkerQueue`.
    dead_letter_queue: The dead-letter queue of a queue of yours that was made elsewhere.
    fifo: Whether the new queue is FIFO. Default: no.
    visibility_timeout: The new queue's, or that of yours. Default: 120 s; the worker renews it while it works.
    scaling: Default: `Scaling.on_queue_depth()`, 1 to 10 tasks.
    concurrency: How many messages a task handles at once. Default: 10.
    max_processing: How long a handler may take over one message. Default: 15 minutes.
    acceptable_age: How old a message may grow before someone is told. Default: 15 minutes.
    claims: The table by which a message that was delivered twice is worked on once. Default: none.
    cache: A cache to connect to, with its usual number of connections; for another one see
        `RedisCache.grant_connect`. Default: none.
    spot_from: How many tasks are on demand before the others run on Spot; 0 puts all on Spot, which AWS may stop all at
        once. Default: all on demand.
    health_check: How ECS asks whether the container is well; False for an image without a shell. Default: it runs
        `python -m fargate_workers_runtime.health` every 30 s, after a minute for the start; an image without our
        runtime passes.
    cpu, memory_mib, architecture, environment, secrets, stop_timeout_seconds: see `WorkerTask`.
    alerts: Default: the cluster's.

    Raises ValueError when times, queues or sizes do not fit together.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        image: ecs.ContainerImage,
        command: Sequence[str] | None = None,
        queue: WorkerQueue | sqs.IQueue | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
        fifo: bool = False,
        visibility_timeout: Duration | None = None,
        scaling: Scaling | None = None,
        concurrency: int = CONCURRENCY,
        max_processing: Duration | None = None,
        acceptable_age: Duration | None = None,
        claims: DeduplicationTable | None = None,
        cache: RedisCache | None = None,
        spot_from: int | None = None,
        health_check: ecs.HealthCheck | Literal[False] | None = None,
        cpu: int = 256,
        memory_mib: int = 512,
        architecture: Architecture = "arm64",
        environment: Mapping[str, str] | None = None,
        secrets: Mapping[str, ecs.Secret] | None = None,
        stop_timeout_seconds: int = 120,
        alerts: "Alerts | None" = None,
    ) -> None:
        super().__init__(scope, id)
        self.name = id
        self.cluster = cluster
        self.scaling = Scaling.on_queue_depth() if scaling is None else scaling
        self.max_tasks = self.scaling.max_tasks
        self.alerts = cluster.alerts if alerts is None else alerts
        max_processing_seconds = in_seconds(max_processing, MAX_PROCESSING)
        acceptable_age_seconds = in_seconds(acceptable_age, ACCEPTABLE_AGE)

        self.worker_queue = _queue_of(self, queue, dead_letter_queue, fifo, visibility_timeout)
        self.queue, self.dead_letter_queue = self.worker_queue.queue, self.worker_queue.dead_letter_queue
        _check_times(
            id, self.worker_queue, max_processing=max_processing_seconds, acceptable_age=acceptable_age_seconds
        )
        _check_sizes(id, concurrency, spot_from, self.max_tasks)

        self.task = WorkerTask(
            self,
            "Task",
            cluster=cluster,
            image=image,
            name=id,
            command=command,
            cpu=cpu,
            memory_mib=memory_mib,
            architecture=architecture,
            environment={
                **(environment or {}),
                "QUEUE_NAME": self.worker_queue.queue_name,
                "QUEUE_URL": self.worker_queue.queue_url,
                "DEAD_LETTER_QUEUE_URL": self.worker_queue.dead_letter_queue_url,
                "VISIBILITY_TIMEOUT_SECONDS": str(self.worker_queue.visibility_timeout_seconds),
                "MAX_PROCESSING_SECONDS": str(max_processing_seconds),
                "CONCURRENCY": str(concurrency),
            },
            secrets=secrets,
            stop_timeout_seconds=stop_timeout_seconds,
            health_check=_default_health_check() if health_check is None else (health_check or None),
            statements=_queue_statements(self.worker_queue),
            uses=[
                *([] if claims is None else [claims.access]),
                *([] if cache is None else [cache.access(id, max_tasks=self.max_tasks)]),
            ],
            managed_policies=[cluster.task_protection],
        )
        if cache is not None:
            cache.let_in(self.task.connections)
        failing = add_alarm(self, handler_failing_alarm(worker_name=id), subject=id, alerts=self.alerts)
        self.service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster.cluster,
            task_definition=self.task.task_definition,
            assign_public_ip=cluster.assign_public_ip,
            vpc_subnets=cluster.task_subnets,
            security_groups=[self.task.security_group],
            capacity_provider_strategies=_capacity(spot_from),
            circuit_breaker=ecs.DeploymentCircuitBreaker(enable=True, rollback=True),
            # No other alarm may stop a deployment: they know the service, and each would wait for the other.
            deployment_alarms=ecs.DeploymentAlarmConfig(
                alarm_names=[failing.ref], behavior=ecs.AlarmBehavior.ROLLBACK_ON_ALARM
            ),
            min_healthy_percent=100,
            max_healthy_percent=200,
            availability_zone_rebalancing=ecs.AvailabilityZoneRebalancing.ENABLED,
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
            enable_ecs_managed_tags=True,
            enable_execute_command=False,
        )
        if spot_from is not None:
            # The cluster must know Spot before the service asks for it.
            self.service.node.add_dependency(cluster.cluster)
        self.service_name = self.service.service_name
        self.scaling.scale(
            self,
            cluster_name=cluster.cluster_name,
            service_name=self.service_name,
            queue_name=self.worker_queue.queue_name,
        )
        self.alarms = {"HandlerFailing": failing} | {
            definition.id: add_alarm(self, definition, subject=id, alerts=self.alerts)
            for definition in queue_worker_alarms(
                queue_name=self.worker_queue.queue_name,
                dead_letter_queue_name=self.worker_queue.dead_letter_queue_name,
                cluster_name=cluster.cluster_name,
                service_name=self.service_name,
                worker_name=id,
                min_tasks=self.scaling.min_tasks,
                max_tasks=self.max_tasks,
                acceptable_age_seconds=acceptable_age_seconds,
                max_processing_seconds=max_processing_seconds,
            )
        }

    def subscribe(
        self,
        topic: sns.ITopic,
        *,
        filter_policy: Mapping[str, Any] | None = None,
        filter_on: Literal["MessageAttributes", "MessageBody"] = "MessageAttributes",
    ) -> sns.CfnSubscription:
        """Let the queue receive what is published to `topic`: the message itself, without SNS's envelope.

            orders.subscribe(topic, filter_policy={"kind": ["order"]})

        What SNS cannot deliver goes to the dead-letter queue. Raises ValueError when one of topic and queue is FIFO.
        """
        if topic.fifo != self.worker_queue.fifo:
            kinds = ("standard", "FIFO")
            raise ValueError(
                f"{self.name}: the topic is {kinds[topic.fifo]} and the queue is {kinds[self.worker_queue.fifo]}; "
                "let both be of one kind."
            )
        self.worker_queue.allow_service_to_send("sns.amazonaws.com", source_arn=arn("sns", "*"))
        self.worker_queue.allow_service_to_dead_letter("sns.amazonaws.com", source_arn=arn("sns", "*"))
        return sns.CfnSubscription(
            self,
            f"Subscription{Names.node_unique_id(topic.node)}",
            topic_arn=topic,
            protocol="sqs",
            endpoint=self.queue,
            raw_message_delivery=True,
            filter_policy=None if filter_policy is None else dict(filter_policy),
            filter_policy_scope=None if filter_policy is None else filter_on,
            redrive_policy={"deadLetterTargetArn": self.worker_queue.dead_letter_queue_arn},
        )

    def on_object_created(
        self, bucket: s3.IBucket, *, prefix: str | None = None, suffix: str | None = None
    ) -> events.CfnRule:
        """Send one message per object created in `bucket` with a key that begins and ends like this.

            imports.on_object_created(bucket, prefix="incoming/", suffix=".csv")

        The message is EventBridge's event. What cannot be delivered within a day goes to the dead-letter queue, from
        where a redrive brings it back. A bucket made elsewhere must send its events to EventBridge already.
        Raises ValueError for a FIFO queue: S3 promises no order that such a queue could keep.
        """
        if self.worker_queue.fifo:
            raise ValueError(
                f"{self.name}: S3 announces objects in no order that a FIFO queue could keep; use a standard queue."
            )
        switch_on_event_bridge(bucket)
        rules = arn("events", "rule/*")
        self.worker_queue.allow_service_to_send("events.amazonaws.com", source_arn=rules)
        self.worker_queue.allow_service_to_dead_letter("events.amazonaws.com", source_arn=rules)
        rule = events.CfnRule(
            self,
            f"ObjectCreated {bucket.node.id} {prefix or ''}*{suffix or ''}",
            description=f"New objects for {self.name}.",
            event_pattern=object_created(bucket.bucket_name, prefix=prefix, suffix=suffix),
            targets=[
                events.CfnRule.TargetProperty(
                    id="Queue",
                    arn=self.worker_queue.queue_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(
                        arn=self.worker_queue.dead_letter_queue_arn
                    ),
                    # EventBridge's longest: an object is not announced twice.
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=86_400, maximum_retry_attempts=185
                    ),
                )
            ],
        )
        for definition in event_target_alarms(rule_name=rule.ref):
            add_alarm(rule, definition, subject=self.name, alerts=self.alerts)
        return rule


def _queue_of(
    worker: Construct,
    queue: WorkerQueue | sqs.IQueue | None,
    dead_letter_queue: sqs.IQueue | None,
    fifo: bool,
    visibility_timeout: Duration | None,
) -> WorkerQueue:
    if isinstance(queue, WorkerQueue):
        if dead_letter_queue is not None or visibility_timeout is not None or fifo:
            raise ValueError(
                f"{worker.node.path}: the WorkerQueue has its own dead_letter_queue, visibility_timeout and fifo; "
                "set them there."
            )
        return queue
    if queue is not None and fifo:
        raise ValueError(f"{worker.node.path}: fifo=True is for a new queue; yours is what it is, leave fifo out.")
    return WorkerQueue(
        worker,
        "Queue",
        fifo=fifo,
        visibility_timeout=visibility_timeout,
        queue=queue,
        dead_letter_queue=dead_letter_queue,
    )


def _queue_statements(queue: WorkerQueue) -> list[dict[str, Any]]:
    """Exactly what draining takes: receive, renew, delete; and hand poison straight to the dead-letter queue."""
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Allow",
            "Action": [
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
            ],
            "Resource": queue.queue_arn,
        },
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue.dead_letter_queue_arn},
    ]
    if queue.encryption_key is not None:
        statements.append(
            {
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": queue.encryption_key.key_arn,
            }
        )
    return statements


def _capacity(spot_from: int | None) -> list[ecs.CapacityProviderStrategy] | None:
    if spot_from is None:
        return None
    spot = ecs.CapacityProviderStrategy(capacity_provider="FARGATE_SPOT", weight=1)
    if spot_from == 0:
        return [spot]
    return [ecs.CapacityProviderStrategy(capacity_provider="FARGATE", base=spot_from, weight=0), spot]


def _default_health_check() -> ecs.HealthCheck:
    return ecs.HealthCheck(
        command=list(HEALTH_COMMAND), interval=seconds(30), timeout=seconds(5), retries=3, start_period=seconds(60)
    )


def _check_times(id: str, queue: WorkerQueue, *, max_processing: int, acceptable_age: int) -> None:
    visibility = queue.visibility_timeout_seconds
    if visibility < 30:
        raise ValueError(
            f"{id}: visibility_timeout is {in_words(visibility)}, too short for a worker to renew it in time; "
            "make it 30 s or more."
        )
    longest = 12 * 3_600 - 2 * visibility
    if not 1 <= max_processing <= longest:
        raise ValueError(
            f"{id}: max_processing is {in_words(max_processing)}; SQS keeps a message in flight for 12 hours at most, "
            f"which leaves {in_words(longest)} with this visibility_timeout."
        )
    if acceptable_age < 60:
        raise ValueError(
            f"{id}: acceptable_age is {in_words(acceptable_age)}; SQS reports ages once a minute: use 60 s or more."
        )
    if queue.retention_seconds is not None and acceptable_age > queue.retention_seconds / 2:
        raise ValueError(
            f"{id}: acceptable_age ({in_words(acceptable_age)}) exceeds half of the queue's retention "
            f"({in_words(queue.retention_seconds)}), so the alarm would come too late to save messages; lower it."
        )


def _check_sizes(id: str, concurrency: int, spot_from: int | None, max_tasks: int) -> None:
    if concurrency < 1:
        raise ValueError(f"{id}: concurrency is {concurrency}; a task handles 1 message at once or more.")
    if spot_from is not None and not 0 <= spot_from < max_tasks:
        raise ValueError(
            f"{id}: spot_from is {spot_from} of {max_tasks} tasks; use 0 to {max_tasks - 1}, or leave it out."
        )
