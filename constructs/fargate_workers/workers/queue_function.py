"""The Lambda function that drains a queue, by the handler and the image of its workers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aws_cdk
from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers.access import Access, given
from fargate_workers.alarms import Alerts, add_alarm
from fargate_workers.alarms.catalogue import event_target_alarms, handler_failing_alarm, queue_function_alarms
from fargate_workers.cloudformation import allow, announce, check_cluster, qualify
from fargate_workers.cluster import WorkerCluster
from fargate_workers.compliance import acknowledge
from fargate_workers.durations import in_seconds, seconds
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources import Demand, SharedSource, WorkSource
from fargate_workers.sources.sqs import (
    Consumer,
    FilterOn,
    Queue,
    WorkerQueue,
    consume,
    queue_source,
    receive_objects,
    subscribe,
)
from fargate_workers.stores import Claims, PostgresDatabase, RedisCache, access_to, claim_store, one_cache
from fargate_workers.tasks import Architecture, RunnerConstruct
from fargate_workers.workers.checks import attempts_of, check_sizes
from fargate_workers.workers.function_checks import (
    FEWEST_RECEIVES,
    Pollers,
    check_visibility,
    handler_of,
    needed_visibility,
    pollers_of,
    timeout_of,
)
from fargate_workers.workers.image_function import ImageFunction
from fargate_workers.workers.watched_topics import watch_deliveries

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

CONCURRENCY = 10
BATCH_SIZE = 10
MAX_PROCESSING = 60
ACCEPTABLE_AGE = 900
MEMORY_MIB = 512


class QueueFunction(RunnerConstruct):
    """A Lambda function that drains a queue: the workers' image and handler, and an event source mapping.

        image = worker_image("worker_image")
        QueueFunction(self, "Orders", image=image, command="order_pipeline.apply_orders")

    The handler's module has one line more than for a worker, `handler = lambda_handler(handle, ...)`, with the
    arguments of `run`. Gate, claims, attempts, dead letters and metrics are the worker's.

    It costs nothing while nothing arrives, and scales by Lambda's own rules; docs/brokers/function.md says when a
    `QueueWorker` is cheaper.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct, and the function's name in alarms and metrics.
        image: The image, of ECR, with `awslambdaric` in it; see `worker_image`.
        command: The module of the handler, such as "order_pipeline.apply_orders", whose attribute `handler` Lambda
            calls; another attribute is named after a colon.
        cluster: The cluster in whose network it runs, whose log settings it has, and whose `alerts` receive its alarms.
            Defaults to none: it runs outside of any network.
        source: The queue that it drains: a `WorkerQueue`, or an existing queue. Defaults to a new `WorkerQueue` whose
            visibility timeout is as long as Lambda needs it.
        dead_letter_queue: The dead-letter queue of an existing queue that was made elsewhere. Defaults to that which
            the queue brings along.
        fifo: Whether the new queue is FIFO. Defaults to False.
        visibility_timeout: That of the new queue, or of an existing one made elsewhere. Defaults to six times the
            function's time-out and the batch window.
        batch_size: Messages of one invocation at most: 1 to 10,000, of a FIFO queue 1 to 10. Defaults to 10.
        batch_window: How long messages may gather for a batch, up to 5 minutes. Defaults to not at all.
        max_concurrency: Invocations at once at most, 2 to 1,000. Defaults to 10, or with `provisioned_pollers` to what
            these can invoke.
        provisioned_pollers: The fewest pollers and the most that are kept ready, each of which invokes up to 10 at
            once, at their own price. Defaults to none: Lambda adds and removes pollers.
        reserved_concurrency: Invocations that are set aside for the function, out of the account's. Defaults to none.
        concurrency: Messages that an invocation handles at once. Defaults to 10.
        max_processing: How long a handler may take over one message, 890 s at most. Defaults to 60 s.
        timeout: The function's time-out, 5 s more than `max_processing` or longer: what the runtime needs to end and to
            answer. A shorter one brings the messages of a killed invocation back sooner, by the queue's visibility
            timeout. Defaults to 10 s more than `max_processing`.
        max_attempts: Failures after which a message goes to the dead-letter queue. Defaults to 10, or the queue's own
            `max_receive_count` if that is smaller.
        acceptable_age: Age of the oldest message that raises an alarm. Defaults to 15 minutes.
        claims: The store by which a message that was delivered twice is worked on once, as for a `QueueWorker`; a
            Database must be signed in to with IAM. Defaults to none.
        cache: A cache to connect to. Defaults to none.
        max_message_bytes: Bytes beyond which a message goes to the dead-letter queue unhandled. Defaults to 1 MiB.
        memory_mib: Memory in MiB, and with it CPU: 1,769 are one vCPU. Defaults to 512.
        architecture: "arm64" (cheaper) or "x86_64". Defaults to what `worker_image` built the image for.
        environment: Variables, besides those that this construct sets. Defaults to none.
        tracing: Whether X-Ray traces invocations. Defaults to False.
        share: Whether another consumer drains the queue, too, on purpose; their claims are kept under one name.
            Defaults to False.
        alerts: The alerts that receive this function's alarms. Defaults to the cluster's.

    Attributes:
        name: The id of the construct.
        qualified_name: The name in its log, metrics and claims, unique in the account and region.
        worker_queue: The queue that it drains, with its dead-letter queue.
        function: The function, with its role, permissions and log group.
        function_name: The name of the function.
        mapping: The event source mapping.
        max_tasks: Invocations at once at most, by the name that a cache's connections are counted with.
        alerts: The alerts that receive its alarms.
        alarms: The alarms, by the id of their definition.

    Raises:
        ConfigurationError: Times, batches, concurrency, queue, image or network do not fit together, or another
            consumer drains the queue.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        image: ecs.ContainerImage,
        command: str,
        cluster: WorkerCluster | None = None,
        source: WorkerQueue | Queue | None = None,
        dead_letter_queue: Queue | None = None,
        fifo: bool = False,
        visibility_timeout: Duration | None = None,
        batch_size: int = BATCH_SIZE,
        batch_window: Duration | None = None,
        max_concurrency: int | None = None,
        provisioned_pollers: tuple[int, int] | None = None,
        reserved_concurrency: int | None = None,
        concurrency: int = CONCURRENCY,
        max_processing: Duration | None = None,
        timeout: Duration | None = None,
        max_attempts: int | None = None,
        acceptable_age: Duration | None = None,
        claims: Claims | PostgresDatabase | None = None,
        cache: RedisCache | None = None,
        max_message_bytes: int | None = None,
        memory_mib: int = MEMORY_MIB,
        architecture: Architecture | None = None,
        environment: Mapping[str, str] | None = None,
        tracing: bool = False,
        share: bool = False,
        alerts: Alerts | None = None,
    ) -> None:
        super().__init__(scope, id)
        if cluster is not None:
            check_cluster(id, cluster)
        self.name: str = id
        self.qualified_name: str = qualify(scope, id)
        self.alerts: Alerts | None = cluster.alerts if alerts is None and cluster is not None else alerts
        self.alarms: dict[str, cloudwatch.CfnAlarm] = {}
        self._rules = 0
        window = in_seconds(batch_window, 0)
        timeout_seconds = timeout_of(
            id, in_seconds(max_processing, MAX_PROCESSING), None if timeout is None else in_seconds(timeout, 0)
        )
        self.worker_queue: WorkerQueue = _queue(
            self,
            source,
            dead_letter_queue=dead_letter_queue,
            fifo=fifo,
            visibility_timeout=visibility_timeout,
            needed=needed_visibility(timeout_seconds, window),
        )
        pollers = pollers_of(
            id,
            fifo=self.worker_queue.fifo,
            batch_size=batch_size,
            window=window,
            max_concurrency=max_concurrency,
            reserved_concurrency=reserved_concurrency,
            provisioned=provisioned_pollers,
        )
        self.max_tasks: int = pollers.max_concurrency
        check_sizes(id, concurrency=concurrency, spot_from=None, max_tasks=self.max_tasks)
        demand = Demand(
            max_processing_seconds=in_seconds(max_processing, MAX_PROCESSING),
            acceptable_age_seconds=in_seconds(acceptable_age, ACCEPTABLE_AGE),
            max_message_bytes=max_message_bytes,
            # What is in flight is counted by batches, above: an invocation holds no more than its own.
            concurrency=1,
            processes=1,
            max_tasks=1,
        )
        visibility = _visibility_of(self.worker_queue)
        check_visibility(id, visibility, timeout=timeout_seconds, window=window)
        self.worker_queue.check_demand(id, demand)
        self._check_receives()
        database = claims if isinstance(claims, PostgresDatabase) else None
        table = None if isinstance(claims, PostgresDatabase) else claims
        redis = one_cache(id, table, cache)
        if (redis or database) and cluster is None:
            what = "cache" if redis else "database"
            raise ConfigurationError(f"{id}: a {what} is only reached in its network; give the cluster, too.")
        consumer = Consumer(id=id, kind="QueueFunction", qualified_name=self.qualified_name, share=share)
        claims_scope = consume(self.worker_queue, consumer)
        access = self.worker_queue.access
        variables = {
            **access.environment,
            "WORKER_NAME": self.qualified_name,
            "VISIBILITY_TIMEOUT_SECONDS": str(visibility),
            "MAX_PROCESSING_SECONDS": str(demand.max_processing_seconds),
            "CONCURRENCY": str(concurrency),
            **given(
                MAX_ATTEMPTS=attempts_of(id, max_attempts, max_receive_count=self.worker_queue.max_receive_count),
                MAX_RECEIVE_COUNT=self.worker_queue.max_receive_count,
                MAX_MESSAGE_BYTES=max_message_bytes,
                CLAIMS_SCOPE=claims_scope,
            ),
        }
        polls = allow(["sqs:GetQueueAttributes"], self.worker_queue.queue_arn)
        self.function: ImageFunction = ImageFunction(
            self,
            "Function",
            cluster=cluster,
            image=image,
            handler=handler_of(id, command),
            name=id,
            qualified_name=self.qualified_name,
            uses=[
                Access([*access.statements, polls], variables),
                claim_store(table),
                *access_to(id, table, redis, max_tasks=self.max_tasks),
                *([] if database is None else [_rows_in(database, id, demand, max_tasks=self.max_tasks)]),
            ],
            environment=environment or {},
            timeout_seconds=timeout_seconds,
            memory_mib=memory_mib,
            architecture=architecture,
            reserved_concurrency=reserved_concurrency,
            tracing=tracing,
        )
        self._runner = self.function
        self.function_name: str = self.function.function_name
        if redis is not None:
            redis.let_in(self.function.connections)
        if database is not None:
            database.let_in(self.function.connections)
        self.mapping: lambda_.CfnEventSourceMapping = self._map(pollers)
        self._add_alarms(demand)

    @property
    def queue(self) -> Queue:
        """The queue."""
        return self.worker_queue.queue

    @property
    def dead_letter_queue(self) -> Queue:
        """The dead-letter queue."""
        return self.worker_queue.dead_letter_queue

    def subscribe(
        self,
        topic: sns.ITopic | sns.Topic,
        *,
        filter_policy: Mapping[str, Any] | None = None,
        filter_on: FilterOn = "MessageAttributes",
    ) -> sns.CfnSubscription:
        """Subscribe the queue to a topic, as `QueueWorker.subscribe` does.

        Args:
            topic: The topic, of this region.
            filter_policy: SNS's filter policy. Defaults to every message.
            filter_on: What the filter reads, "MessageAttributes" or "MessageBody". Defaults to "MessageAttributes".

        Raises:
            ConfigurationError: One of topic and queue is FIFO, or the topic is of another region or subscribed already.
        """
        subscription = subscribe(
            self, self.worker_queue, topic, worker=self.name, filter_policy=filter_policy, filter_on=filter_on
        )
        self.alarms |= watch_deliveries(self, topic, subject=self.qualified_name, alerts=self.alerts, environment=None)
        return subscription

    def on_object_created(
        self, bucket: s3.IBucket, *, prefix: str | None = None, suffix: str | None = None
    ) -> events.CfnRule:
        """Send one message per object created in a bucket, as `QueueWorker.on_object_created` does.

        Args:
            bucket: The bucket, of this account and region.
            prefix: How the keys begin. Defaults to any way.
            suffix: How the keys end. Defaults to any way.

        Raises:
            ConfigurationError: The queue is FIFO, or the bucket is of another account or region.
        """
        rule = receive_objects(self, self.worker_queue, bucket, worker=self.name, prefix=prefix, suffix=suffix)
        self._rules += 1
        number = "" if self._rules == 1 else str(self._rules)
        for definition in event_target_alarms(rule_name=rule.ref):
            self.alarms[definition.id + number] = add_alarm(
                rule, definition, subject=self.qualified_name, alerts=self.alerts
            )
        return rule

    def _check_receives(self) -> None:
        receives = self.worker_queue.max_receive_count
        if receives is not None and receives < FEWEST_RECEIVES:
            announce(
                self,
                "few receives",
                f"{self.name}: the queue gives a message up after {receives} receives, and Lambda counts those that it "
                f"could not invoke the function for; AWS advises {FEWEST_RECEIVES} or more: raise max_receive_count.",
            )

    def _map(self, pollers: Pollers) -> "lambda_.CfnEventSourceMapping":
        cfn_mapping = aws_cdk.aws_lambda.CfnEventSourceMapping
        provisioned = pollers.provisioned
        mapping = cfn_mapping(
            self,
            "Mapping",
            event_source_arn=self.worker_queue.queue_arn,
            function_name=self.function_name,
            batch_size=pollers.batch_size,
            maximum_batching_window_in_seconds=pollers.window_seconds or None,
            function_response_types=["ReportBatchItemFailures"],
            scaling_config=cfn_mapping.ScalingConfigProperty(maximum_concurrency=pollers.max_concurrency)
            if provisioned is None
            else None,
            provisioned_poller_config=None
            if provisioned is None
            else cfn_mapping.ProvisionedPollerConfigProperty(
                minimum_pollers=provisioned[0], maximum_pollers=provisioned[1]
            ),
            metrics_config=cfn_mapping.MetricsConfigProperty(metrics=["EventCount"]),
        )
        acknowledge(
            mapping,
            {
                "Serverless-LambdaEventSourceMappingDestination": "Of a queue, Lambda takes no destination: what fails "
                "goes to the queue's own dead-letter queue."
            },
        )
        # Lambda asks at once whether the role may receive.
        mapping.node.add_dependency(self.permissions)
        return mapping

    def _add_alarms(self, demand: Demand) -> None:
        log_group_name = self.function.log_group.log_group_name
        backlog = self.worker_queue.signals.backlog
        definitions = [
            *self.worker_queue.work_alarms(demand, log_group_name=log_group_name),
            handler_failing_alarm(qualified_name=self.qualified_name, log_group_name=log_group_name),
            *queue_function_alarms(
                backlog=backlog,
                function_name=self.function_name,
                qualified_name=self.qualified_name,
                log_group_name=log_group_name,
                max_concurrency=self.max_tasks,
            ),
        ]
        for definition in definitions:
            self.alarms[definition.id] = add_alarm(self, definition, subject=self.qualified_name, alerts=self.alerts)


def _queue(
    function: Construct,
    source: WorkerQueue | Queue | None,
    *,
    dead_letter_queue: Queue | None,
    fifo: bool,
    visibility_timeout: Duration | None,
    needed: int,
) -> WorkerQueue:
    if source is None and visibility_timeout is None:
        visibility_timeout = seconds(needed)
    if not isinstance(source, WorkerQueue) and isinstance(source, (SharedSource, WorkSource)):
        raise ConfigurationError(
            f"{function.node.path}: a QueueFunction drains an SQS queue, and source is a {type(source).__name__}; "
            "drain it by a QueueWorker."
        )
    return queue_source(
        function, source, dead_letter_queue=dead_letter_queue, fifo=fifo, visibility_timeout=visibility_timeout
    )


def _visibility_of(queue: WorkerQueue) -> int:
    """The queue's own, as far as it is known: Lambda receives by it, and by nothing that its consumer says."""
    own = queue.own_visibility_seconds
    return queue.visibility_timeout_seconds if own is None else own


def _rows_in(database: PostgresDatabase, id: str, demand: Demand, *, max_tasks: int) -> Access:
    """What a function needs to write its claims into the effect's own transaction."""
    if database.password is not None:
        raise ConfigurationError(
            f"{id}: the database is signed in to by a password, and Lambda passes no secret as a variable; sign in "
            "with IAM (resource_id=), or keep the claims in a DeduplicationTable."
        )
    database.check_processing(id, demand.max_processing_seconds)
    access = database.access(id, max_tasks=max_tasks, processes=1)
    return Access(access.statements, {"CLAIM_STORE": "postgres", **access.environment})
