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
from fargate_workers._qualified_name import qualify
from fargate_workers._queue_worker_checks import Pacing, check_choices, check_sizes, check_times
from fargate_workers._timing import in_seconds
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

    A task of several vCPUs runs as many processes, as far as `concurrency` goes round, because a Python process keeps
    one vCPU busy. Together they handle `concurrency` messages and open one task's share of Redis connections. Fargate
    gives each vCPU at least 2 GiB, which is plenty for a process.

    cluster: Where the tasks run, and whom the alarms tell.
    image: What runs; see `WorkerTask` for how, and `worker_image`.
    command: Default: the image's own.
    queue: A `WorkerQueue`, of another stack too, or a queue of yours. Default: a new `WorkerQueue`.
    dead_letter_queue: The dead-letter queue of a queue of yours that was made elsewhere.
    fifo: Whether the new queue is FIFO. Default: no.
    visibility_timeout: The new queue's, or that of yours. Default: 120 s; the worker renews it while it works.
    scaling: Default: `Scaling.for_latency()`: 1 to 10 tasks, so that no message waits longer than 5 minutes.
    concurrency: How many messages a task handles at once. Default: 10.
    pacing: "latency" asks for messages and acknowledges them as soon as it can. "economy" lets them gather for a second
        first, which at a trickle halves what SQS costs, or better. Default: "latency".
    max_processing: How long a handler may take over one message. Default: 15 minutes.
    acceptable_age: How old a message may grow before someone is told. Default: 15 minutes.
    claims: By what a message that was delivered twice is worked on once: a DeduplicationTable, which forgets nothing,
        or a RedisCache of purpose "locks", which costs nothing per message but may forget the last claims in a
        failover. Default: none.
    cache: A cache to connect to, with its usual number of connections; for another one see
        `RedisCache.grant_connect`. Default: none.
    max_downstream_rate: How many handlers all tasks together may begin per second, to spare what they call. It is
        counted in Redis: in `cache` or `claims`, of purpose "locks". Default: no limit.
    recycle_after: After how many messages a process is replaced by a fresh one, which bounds what a handler leaks.
        Default: never.
    spot_from: How many tasks are on demand before the others run on Spot; 0 puts all on Spot, which AWS may stop all at
        once. Default: all on demand.
    health_check: How ECS asks whether the container is well; False for an image without a shell. Default: it runs
        `python -m fargate_workers_runtime.health` every 30 s, after a minute for the start; an image without our
        runtime passes.
    cpu, memory_mib, architecture, environment, secrets, stop_timeout_seconds: see `WorkerTask`.
    alerts: Default: the cluster's.

    Raises ValueError when times, queues, sizes or caches do not fit together.
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
        pacing: Pacing = "latency",
        max_processing: Duration | None = None,
        acceptable_age: Duration | None = None,
        claims: DeduplicationTable | RedisCache | None = None,
        cache: RedisCache | None = None,
        max_downstream_rate: int | None = None,
        recycle_after: int | None = None,
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
        self.scaling = Scaling.for_latency() if scaling is None else scaling
        self.max_tasks = self.scaling.max_tasks
        self.alerts = cluster.alerts if alerts is None else alerts
        max_processing_seconds = in_seconds(max_processing, MAX_PROCESSING)
        acceptable_age_seconds = in_seconds(acceptable_age, ACCEPTABLE_AGE)

        self.worker_queue = _queue_of(self, queue, dead_letter_queue, fifo, visibility_timeout)
        self.queue, self.dead_letter_queue = self.worker_queue.queue, self.worker_queue.dead_letter_queue
        check_times(
            id,
            visibility=self.worker_queue.visibility_timeout_seconds,
            retention=self.worker_queue.retention_seconds,
            max_processing=max_processing_seconds,
            acceptable_age=acceptable_age_seconds,
        )
        processes = max(1, min(cpu // 1_024, concurrency))
        check_sizes(id, concurrency=concurrency, processes=processes, spot_from=spot_from, max_tasks=self.max_tasks)
        check_choices(id, pacing=pacing, max_downstream_rate=max_downstream_rate, recycle_after=recycle_after)
        name = qualify(scope, id)
        redis = _redis_of(id, claims, cache, counts_rate=max_downstream_rate is not None)

        self.task = WorkerTask(
            self,
            "Task",
            cluster=cluster,
            image=image,
            name=id,
            qualified_name=name,
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
                "PACING": pacing,
                "PROCESSES": str(processes),
                # What is decided is said, whatever the image decides by itself; what is switched off is not.
                **_said(
                    MAX_RECEIVE_COUNT=self.worker_queue.max_receive_count,
                    CLAIM_STORE="redis" if isinstance(claims, RedisCache) else None,
                    RATE_LIMIT_PER_SECOND=max_downstream_rate,
                    MAX_MESSAGES_PER_PROCESS=recycle_after,
                ),
            },
            secrets=secrets,
            stop_timeout_seconds=stop_timeout_seconds,
            health_check=_default_health_check() if health_check is None else (health_check or None),
            statements=_queue_statements(self.worker_queue),
            uses=[
                *([claims.access] if isinstance(claims, DeduplicationTable) else []),
                *([] if redis is None else [redis.access(id, max_tasks=self.max_tasks)]),
            ],
            managed_policies=[cluster.task_protection],
        )
        if redis is not None:
            redis.let_in(self.task.connections)
        failing = add_alarm(
            self, handler_failing_alarm(worker_name=id, qualified_name=name), subject=id, alerts=self.alerts
        )
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
        planned = self.scaling.scale(
            self,
            cluster_name=cluster.cluster_name,
            service_name=self.service_name,
            queue_name=self.worker_queue.queue_name,
            worker=name,
            concurrency=concurrency,
            max_downstream_rate=max_downstream_rate,
        )
        if planned is not None:
            cluster.scaling_planner(self).plan_for(planned, queue=self.worker_queue, service_name=self.service_name)
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
                planned=planned is not None,
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


def _redis_of(
    id: str, claims: DeduplicationTable | RedisCache | None, cache: RedisCache | None, *, counts_rate: bool
) -> RedisCache | None:
    """The one cache that a task connects to."""
    claiming = claims if isinstance(claims, RedisCache) else None
    if claiming is not None and cache is not None and claiming is not cache:
        raise ValueError(
            f"{id}: claims and cache are two caches, and a task connects to one; give one of purpose "
            '"locks" as both, or keep the claims in a DeduplicationTable.'
        )
    if claiming is not None and claiming.purpose != "locks":
        raise ValueError(
            f'{id}: claims are kept in a cache of purpose "{claiming.purpose}", which evicts them when its memory is '
            'full; make it one of purpose "locks".'
        )
    redis = claiming if cache is None else cache
    if counts_rate and (redis is None or redis.purpose != "locks"):
        raise ValueError(
            f'{id}: max_downstream_rate is counted in Redis; give a RedisCache of purpose "locks" as cache or claims.'
        )
    return redis


def _said(**variables: str | int | None) -> dict[str, str]:
    return {name: str(value) for name, value in variables.items() if value is not None}


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
