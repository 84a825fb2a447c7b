"""The Fargate service that drains a source of work."""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from aws_cdk import Duration
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers.access import Access, given
from fargate_workers.alarms import Alerts, add_alarm
from fargate_workers.alarms.catalogue import event_target_alarms, handler_failing_alarm, outbox_alarms, worker_alarms
from fargate_workers.cloudformation import qualify
from fargate_workers.cluster import WorkerCluster
from fargate_workers.durations import in_seconds, seconds
from fargate_workers.errors import ConfigurationError
from fargate_workers.scaling import ScaledWorker, Scaling, ScalingPlanner
from fargate_workers.sources import Demand, SharedSource, SourceInNetwork, WorkSource
from fargate_workers.sources.sqs import (
    Consumer,
    FilterOn,
    Queue,
    WorkerQueue,
    consume,
    log_failed_deliveries,
    receive_objects,
    subscribe,
    work_source,
)
from fargate_workers.stores import DeduplicationTable, PostgresDatabase, RedisCache
from fargate_workers.tasks import DEFAULT_CPU, TaskConstruct, TaskNeeds, TaskOptions
from fargate_workers.workers.checks import Pacing, attempts_of, check_choices, check_sizes
from fargate_workers.workers.watched_topics import watch_deliveries

CONCURRENCY = 10
MAX_PROCESSING = 900
ACCEPTABLE_AGE = 900
# Only our runtime says 3: in an image without it, or without Python, nothing is checked and nothing is killed.
HEALTH_COMMAND = ("CMD-SHELL", "python -m fargate_workers_runtime.health || [ $? -ne 3 ]")


class QueueWorker(TaskConstruct):
    """A Fargate service that drains a source of work, a queue by default, with its scaling and alarms.

        orders = QueueWorker(self, "Orders", cluster=cluster, image=worker_image("worker_image"))
        bucket.grant_read(orders)

    A deployment starts the new tasks before it stops the old ones (100 %/200 %) and is rolled back when they do not
    stay up, or when their handler keeps failing. The template has no desired count: it belongs to the scaling.

    A task of several vCPUs runs as many processes, as far as `concurrency` goes round, because a Python process keeps
    one vCPU busy. Together they handle `concurrency` messages and open one task's share of Redis connections. Fargate
    gives each vCPU at least 2 GiB, which is plenty for a process.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct, and the worker's name in alarms and metrics.
        cluster: The cluster that runs the tasks. Its `alerts` receive this worker's alarms.
        image: The container image; see `worker_image`.
        source: What the worker drains: a `WorkerQueue`, of another stack too, an existing queue, a `KafkaTopic`, a
            `RedisStream`, a `RedisList`, or another `WorkSource`. Defaults to a new `WorkerQueue`.
        dead_letter_queue: The dead-letter queue of an existing queue that was made elsewhere. Defaults to that which
            the queue brings along.
        fifo: Whether the new queue is FIFO. Defaults to False.
        visibility_timeout: How long a received message stays hidden in the new queue, or in the existing one; the
            worker renews it while it works. Defaults to 120 s.
        scaling: By what the service scales. Defaults to `Scaling.for_latency()`: 1 to 10 tasks, so that no message
            waits longer than 5 minutes.
        concurrency: Messages that a task handles at once. Defaults to 10.
        pacing: "latency" asks for messages and acknowledges them as soon as it can. "economy" lets them gather for a
            second first, which at a trickle halves the cost of the requests, or better. Defaults to "latency".
        max_processing: How long a handler may take over one message. Defaults to 15 minutes.
        max_attempts: Failures after which a message goes to the dead-letter queue. The pauses between them double from
            2 s to 15 minutes, half of each random, so that ten take 8 to 17 minutes. Defaults to 10, or the queue's own
            `max_receive_count` if that is smaller.
        acceptable_age: Age of the oldest message that raises an alarm. Defaults to 15 minutes.
        claims: The store by which a message that was delivered twice is worked on once: a DeduplicationTable, which
            forgets nothing, a RedisCache with eviction="noeviction", which costs nothing per message but may forget
            the last claims in a failover, or a Database, where the claim is a row in the effect's own transaction.
            Defaults to none.
        cache: A cache to connect to, with its usual number of connections; for another one see
            `RedisCache.grant_connect`. Defaults to none.
        max_downstream_rate: Handlers that all tasks together may begin per second, to limit the rate of downstream
            calls. It is counted in Redis: in `cache` or `claims`, with eviction="noeviction". Defaults to no limit.
        recycle_after: Messages after which a process is replaced by a fresh one, which bounds what a handler leaks.
            Defaults to never.
        max_message_bytes: Bytes beyond which a message goes to the dead-letter queue unhandled. Defaults to the largest
            that the source carries, for a queue 1 MiB.
        spot_from: Tasks on demand before the others run on Spot; 0 puts all on Spot, which AWS may stop all at once.
            Defaults to all on demand.
        health_check: How ECS asks whether the container is well; False for an image without a shell. Defaults to
            running `python -m fargate_workers_runtime.health` every 30 s, after a minute for the start; an image
            without that runtime passes.
        alerts: The alerts that receive this worker's alarms. Defaults to the cluster's.
        options: The task's own: command, size, architecture, variables and secrets; see `TaskOptions`.

    Attributes:
        name: The id of the construct.
        cluster: The cluster that runs the tasks.
        scaling: By what the service scales.
        max_tasks: Tasks that may run at most.
        alerts: The alerts that receive this worker's alarms.
        source: What the worker drains.
        task: The task that handles messages.
        service: The ECS service.
        service_name: The name of the ECS service.
        planner: The scaling planner of the worker, if one plans for it.
        alarms: The alarms, by the id of their definition; those of a second rule for objects end in 2, and so on.

    Raises:
        ConfigurationError: Times, queues, sizes or caches do not fit together.
        TypeError: There is no such option.
    """

    source: WorkSource

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: WorkerCluster,
        image: ecs.ContainerImage,
        source: WorkSource | SharedSource | Queue | None = None,
        dead_letter_queue: Queue | None = None,
        fifo: bool = False,
        visibility_timeout: Duration | None = None,
        scaling: Scaling | None = None,
        concurrency: int = CONCURRENCY,
        pacing: Pacing = "latency",
        max_processing: Duration | None = None,
        max_attempts: int | None = None,
        acceptable_age: Duration | None = None,
        claims: DeduplicationTable | RedisCache | PostgresDatabase | None = None,
        cache: RedisCache | None = None,
        max_downstream_rate: int | None = None,
        recycle_after: int | None = None,
        max_message_bytes: int | None = None,
        spot_from: int | None = None,
        health_check: ecs.HealthCheck | Literal[False] | None = None,
        alerts: Alerts | None = None,
        **options: Unpack[TaskOptions],
    ) -> None:
        if "queue" in options:
            raise TypeError(f"{id}: there is no option queue; give the queue as source.")
        scaling = Scaling.for_latency() if scaling is None else scaling
        check_sizes(id, concurrency=concurrency, spot_from=spot_from, max_tasks=scaling.max_tasks)
        check_choices(id, pacing=pacing, max_downstream_rate=max_downstream_rate, recycle_after=recycle_after)
        demand = Demand(
            max_processing_seconds=in_seconds(max_processing, MAX_PROCESSING),
            acceptable_age_seconds=in_seconds(acceptable_age, ACCEPTABLE_AGE),
            max_message_bytes=max_message_bytes,
            concurrency=concurrency,
            processes=max(1, min(options.get("cpu", DEFAULT_CPU) // 1_024, concurrency)),
            max_tasks=scaling.max_tasks,
            min_tasks=scaling.min_tasks,
        )

        database = claims if isinstance(claims, PostgresDatabase) else None

        def needs() -> TaskNeeds:
            self.source = work_source(
                self,
                source,
                demand=demand,
                dead_letter_queue=dead_letter_queue,
                fifo=fifo,
                visibility_timeout=visibility_timeout,
            )
            self.source.check_demand(id, demand)
            claims_scope: str | None = None
            if isinstance(self.source, WorkerQueue):
                consumer = Consumer(id=id, kind="QueueWorker", qualified_name=qualify(scope, id))
                claims_scope = consume(self.source, consumer)
            access = self.source.access
            rows = _claims_in(database, id, demand)
            variables = {
                **access.environment,
                **rows.environment,
                "MAX_PROCESSING_SECONDS": str(demand.max_processing_seconds),
                "CONCURRENCY": str(concurrency),
                "PACING": pacing,
                "PROCESSES": str(demand.processes),
                # Every variable that has a value is set, even where it equals the image's default.
                **given(
                    MAX_ATTEMPTS=attempts_of(id, max_attempts, max_receive_count=self.source.max_receive_count),
                    MAX_RECEIVE_COUNT=self.source.max_receive_count,
                    RATE_LIMIT_PER_SECOND=max_downstream_rate,
                    MAX_MESSAGES_PER_PROCESS=recycle_after,
                    MAX_MESSAGE_BYTES=max_message_bytes,
                    CLAIMS_SCOPE=claims_scope,
                ),
            }
            return TaskNeeds(
                access=Access([*access.statements, *rows.statements], variables),
                managed_policies=[cluster.task_protection],
                health_check=_default_health_check() if health_check is None else (health_check or None),
            )

        super().__init__(
            scope,
            id,
            cluster=cluster,
            image=image,
            claims=None if isinstance(claims, PostgresDatabase) else claims,
            cache=cache,
            alerts=alerts,
            max_tasks=scaling.max_tasks,
            options=options,
            counts_rate=max_downstream_rate is not None,
            needs=needs,
        )
        if database is not None:
            database.let_in(self.task.connections)
            if database.password is not None:
                self.task.add_secret("DATABASE_PASSWORD", database.password)
        self.scaling: Scaling = scaling
        self._rules = 0
        if isinstance(self.source, SourceInNetwork):
            self.source.let_in(self)
        cluster.add_endpoint("ecs")  # by which a task asks to be spared while it is busy
        name = self.task.qualified_name
        log_group_name = self.task.log_group.log_group_name
        failing = add_alarm(
            self,
            handler_failing_alarm(qualified_name=name, log_group_name=log_group_name),
            subject=name,
            alerts=self.alerts,
            environment=cluster.environment,
        )
        self.service: ecs.FargateService = ecs.FargateService(
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
        self.service_name: str = self.service.service_name
        read = self.source.planner_input
        planned = self.scaling.scale(
            self,
            ScaledWorker(
                name=name,
                environment=cluster.environment,
                cluster_name=cluster.cluster_name,
                service_name=self.service_name,
                signals=self.source.signals,
                concurrency=concurrency,
                max_downstream_rate=max_downstream_rate,
                most_busy_tasks=None if read is None else read.most_busy_tasks,
            ),
        )
        self.planner: ScalingPlanner | None = None
        if planned is not None:
            self.planner = ScalingPlanner.of(self, cluster=cluster)
            self.planner.plan_for(planned, source=self.source, service_name=self.service_name)
        definitions = [
            *self.source.work_alarms(demand, log_group_name=log_group_name),
            *worker_alarms(
                backlog=self.source.signals.backlog,
                broker=self.source.broker,
                look=self.source.look_command(),
                cluster_name=cluster.cluster_name,
                service_name=self.service_name,
                qualified_name=name,
                log_group_name=log_group_name,
                min_tasks=self.scaling.min_tasks,
                max_tasks=self.max_tasks,
                planned=planned is not None,
            ),
        ]
        if database is not None and (options.get("environment") or {}).get("OUTBOX_RELAY") != "false":
            definitions += outbox_alarms(qualified_name=name, log_group_name=log_group_name)
        self.alarms["HandlerFailing"] = failing
        for definition in definitions:
            self.alarms[definition.id] = add_alarm(
                self, definition, subject=name, alerts=self.alerts, environment=cluster.environment
            )
        cluster.check_room(scope, self)

    @property
    def worker_queue(self) -> WorkerQueue:
        """The source as a queue, with its dead-letter queue.

        Raises:
            ConfigurationError: The source is no queue.
        """
        if not isinstance(self.source, WorkerQueue):
            raise ConfigurationError(
                f"{self.name}: its source is a {type(self.source).__name__} and no queue; use a worker with a "
                "WorkerQueue here."
            )
        return self.source

    @property
    def queue(self) -> Queue:
        """The queue; see `worker_queue`."""
        return self.worker_queue.queue

    @property
    def dead_letter_queue(self) -> Queue:
        """The dead-letter queue; see `worker_queue`."""
        return self.worker_queue.dead_letter_queue

    def subscribe(
        self,
        topic: sns.ITopic | sns.Topic,
        *,
        filter_policy: Mapping[str, Any] | None = None,
        filter_on: FilterOn = "MessageAttributes",
        log_failures: bool = False,
    ) -> sns.CfnSubscription:
        """Subscribe the queue to a topic: it receives the message itself, without SNS's envelope.

            orders.subscribe(topic, filter_policy={"kind": ["order"]})

        What SNS cannot deliver goes to the dead-letter queue, and raises an alarm of the first worker in the stack that
        subscribes to the topic: SNS counts by topic. A topic of another account must let this one subscribe, and is
        watched there.

        Args:
            topic: The topic, of this region.
            filter_policy: SNS's filter policy. Defaults to every message.
            filter_on: What the filter reads, "MessageAttributes" or "MessageBody". Defaults to "MessageAttributes".
            log_failures: Whether SNS logs each delivery to a queue that failed, with its reason, by the log group
                "sns/<region>/<account>/<topic>/Failure"; for a topic made in this app. Defaults to False.

        Raises:
            ConfigurationError: One of topic and queue is FIFO, the topic is of another region or subscribed already,
                the source is no queue, or the topic whose failures are to be logged was made elsewhere.
        """
        subscription = subscribe(
            self, self.worker_queue, topic, worker=self.name, filter_policy=filter_policy, filter_on=filter_on
        )
        if log_failures:
            log_failed_deliveries(
                topic,
                worker=self.name,
                encryption_key=self.cluster.log_encryption_key,
                retention=self.cluster.log_retention,
                removal_policy=self.cluster.log_removal_policy,
            )
        name, environment = self.task.qualified_name, self.cluster.environment
        self.alarms |= watch_deliveries(self, topic, subject=name, alerts=self.alerts, environment=environment)
        return subscription

    def on_object_created(
        self, bucket: s3.IBucket, *, prefix: str | None = None, suffix: str | None = None
    ) -> events.CfnRule:
        """Send one message per object created in a bucket.

            imports.on_object_created(bucket, prefix="incoming/", suffix=".csv")

        The message is EventBridge's event. What cannot be delivered within a day goes to the dead-letter queue, from
        where a redrive brings it back. A bucket made elsewhere must send its events to EventBridge already.

        Args:
            bucket: The bucket, of this account and region.
            prefix: How the keys begin. Defaults to any way.
            suffix: How the keys end. Defaults to any way.

        Raises:
            ConfigurationError: The queue is FIFO (S3 promises no order that it could keep), the bucket is of another
                account or region, or the source is no queue.
        """
        rule = receive_objects(self, self.worker_queue, bucket, worker=self.name, prefix=prefix, suffix=suffix)
        self._rules += 1
        suffix = "" if self._rules == 1 else str(self._rules)
        for definition in event_target_alarms(rule_name=rule.ref):
            self.alarms[definition.id + suffix] = add_alarm(
                rule,
                definition,
                subject=self.task.qualified_name,
                alerts=self.alerts,
                environment=self.cluster.environment,
            )
        return rule


def _claims_in(database: PostgresDatabase | None, worker: str, demand: Demand) -> Access:
    """What a worker needs to write its claims into the effect's own transaction."""
    if database is None:
        return Access((), {})
    database.check_processing(worker, demand.max_processing_seconds)
    access = database.access(worker, max_tasks=demand.max_tasks, processes=demand.processes)
    return Access(access.statements, {"CLAIM_STORE": "postgres", **access.environment})


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
