"""A queue and its dead-letter queue."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, get_args

from aws_cdk import Duration, RemovalPolicies, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from fargate_workers.access import Access
from fargate_workers.alarms import AlarmDefinition
from fargate_workers.alarms.catalogue import of_quiet_groups, queue_attributes_command, queue_metric, work_queue_alarms
from fargate_workers.cloudformation import KEY_WAY_OUT, TOKEN, account, allow_by_key, announce_statements, check_place
from fargate_workers.compliance import acknowledge
from fargate_workers.durations import in_seconds, in_words, seconds
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.source import Demand, PlannerInput, SharedSource, Signals, WorkSource
from fargate_workers.sources.sqs.checks import check_demand

#: The messages that add tasks: every one, or those of tenants that take no more than their share.
ScaleFor = Literal["all", "quiet"]
#: An existing SQS queue, made in this app or elsewhere.
Queue = sqs.IQueue

VISIBILITY_TIMEOUT = 120
_SQS_VISIBILITY = 30  # of a queue that sets none
RETENTION = 4 * 86_400
DEAD_LETTER_RETENTION = 14 * 86_400
RECEIVE_WAIT = 20
MAX_RECEIVE_COUNT = 100

# CloudFormation puts names in the tokens' places, of 80 characters at most.
_LONGEST_QUEUE_NAME = "n" * 80
_LONGEST_QUEUE_URL = f"https://sqs.ap-southeast-1.amazonaws.com/123456789012/{_LONGEST_QUEUE_NAME}"


class WorkerQueue(Construct):
    """An SQS queue for workers, and the dead-letter queue for messages they had to give up.

        orders = WorkerQueue(self, "Orders")

    Both are encrypted, refuse plain HTTP and survive the stack. It is a `WorkSource`.

    Args:
        scope: The construct that it belongs to.
        id: The id of the construct.
        fifo: Whether messages of a group keep their order. Both queues are then FIFO, deduplicate by content within a
            message group, and have their throughput quota per group. Defaults to False.
        visibility_timeout: How long a received message stays hidden; workers renew it while they work, so this is how
            soon another task takes over from one that died. Defaults to 120 s.
        max_receive_count: Receives after which SQS gives a message up. A guard: it counts every delivery, also of
            messages that a stopping task handed back. Workers give up earlier, after failures (`QueueWorker`'s
            `max_attempts`). Defaults to 100.
        retention: How long a message may wait. Defaults to 4 days.
        dead_letter_retention: How long a dead letter is kept. A standard queue counts from the first send, so this must
            exceed `retention`. Defaults to 14 days, the longest.
        receive_wait: How long a receive waits for messages. Defaults to 20 s, the longest and cheapest.
        tenants: Whether senders name the tenant of each message, as its MessageGroupId. SQS then lets the messages of a
            tenant that takes more than its share wait behind those of others, which costs no request and no order; the
            age that raises an alarm is that of the others, and a noisy tenant has an alarm of its own. Defaults to
            False.
        scale_for: "all" scales by every message. "quiet" leaves out the messages of noisy tenants, which wait for what
            is left over; it takes `Scaling.on_queue_depth` or `on_backlog_per_task` with a task at least, because SQS
            does not count arrivals by tenant. Defaults to "all".
        encryption_key: A customer-managed key for both queues. Defaults to SQS's own (SSE-SQS).
        removal_policy: What becomes of the queues and their policies when they leave the stack. Defaults to retaining
            them, except by a first deployment that fails.
        queue: An existing queue instead of a new one, of the same account and region; of the options above, only
            `visibility_timeout`, `tenants` and `scale_for` are then used. A queue made in this app brings its
            dead-letter queue along. A queue made elsewhere cannot be changed from here: what its policy and its key
            must allow services is announced at synthesis. If it has a customer-managed key, name that:
            `Queue.from_queue_attributes(..., key_arn=...)`. Defaults to a new one.
        dead_letter_queue: The dead-letter queue of an existing queue that was made elsewhere. Defaults to that which
            `queue` brings along.

    Attributes:
        queue: The queue.
        dead_letter_queue: Its dead-letter queue.
        fifo: Whether both are FIFO.
        tenants: Whether senders name the tenant of each message.
        scale_for: The messages that add tasks.
        visibility_timeout_seconds: Seconds that a received message stays hidden.
        retention_seconds: Seconds that a message may wait. None for an existing queue.
        max_receive_count: Receives after which SQS gives a message up. None for a queue made elsewhere.
        encryption_key: The customer-managed key of the queue, if it has one.
        dead_letter_encryption_key: The customer-managed key of the dead-letter queue, if it has one.
        topics: The ARNs of the topics that it is subscribed to.

    Raises:
        ConfigurationError: SQS refuses a value, a combination loses messages, a queue or key is of another region, or a
            queue is of another account, whose metrics nobody could read here.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        fifo: bool = False,
        visibility_timeout: Duration | None = None,
        max_receive_count: int = MAX_RECEIVE_COUNT,
        retention: Duration | None = None,
        dead_letter_retention: Duration | None = None,
        receive_wait: Duration | None = None,
        tenants: bool = False,
        scale_for: ScaleFor = "all",
        encryption_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        queue: sqs.IQueue | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
    ) -> None:
        super().__init__(scope, id)
        _check_tenants(id, tenants=tenants, scale_for=scale_for, fifo=fifo if queue is None else queue.fifo)
        self.tenants: bool = tenants
        self.scale_for: ScaleFor = scale_for
        self.visibility_timeout_seconds: int = in_seconds(visibility_timeout, VISIBILITY_TIMEOUT)
        _check_range(id, "visibility_timeout", self.visibility_timeout_seconds, 0, 12 * 3_600)
        self._services: set[tuple[str, str, str]] = set()
        self.topics: set[str] = set()

        self.fifo: bool
        self.retention_seconds: int | None
        self.max_receive_count: int | None
        self.encryption_key: kms.IKey | None
        self.dead_letter_encryption_key: kms.IKey | None
        self.queue: sqs.IQueue
        self.dead_letter_queue: sqs.IQueue
        if queue is not None:
            self.queue, self.dead_letter_queue = queue, _dead_letter_queue_of(id, queue, dead_letter_queue)
            for what, theirs in (("queue", self.queue), ("dead_letter_queue", self.dead_letter_queue)):
                check_place(self, what, theirs, way_out="tasks, metrics and alarms reach only queues beside them")
            self.fifo = queue.fifo
            self.encryption_key = queue.encryption_master_key
            self.dead_letter_encryption_key = self.dead_letter_queue.encryption_master_key
            self.retention_seconds = None
            own = _own_dead_letters(queue)
            self.max_receive_count = None if own is None else int(own.max_receive_count)
            _check_types(id, self.fifo, self.dead_letter_queue.fifo)
        elif dead_letter_queue is not None:
            raise ConfigurationError(f"{id}: dead_letter_queue belongs to an existing queue; give that as queue=, too.")
        else:
            if encryption_key is not None:
                check_place(self, "encryption_key", encryption_key, way_out=KEY_WAY_OUT, any_account=True)
            self.fifo = fifo
            self.encryption_key = self.dead_letter_encryption_key = encryption_key
            self.retention_seconds = in_seconds(retention, RETENTION)
            self.max_receive_count = max_receive_count
            self._make_queues(
                id,
                max_receive_count,
                retention=self.retention_seconds,
                dead_letter_retention=in_seconds(dead_letter_retention, DEAD_LETTER_RETENTION),
                receive_wait=in_seconds(receive_wait, RECEIVE_WAIT),
                removal_policy=removal_policy,
            )

    @cached_property
    def queue_arn(self) -> str:
        """The ARN of the queue."""
        return self.queue.queue_arn

    @cached_property
    def queue_url(self) -> str:
        """The URL of the queue."""
        return self.queue.queue_url

    @cached_property
    def queue_name(self) -> str:
        """The name of the queue."""
        return self.queue.queue_name

    @cached_property
    def dead_letter_queue_arn(self) -> str:
        """The ARN of the dead-letter queue."""
        return self.dead_letter_queue.queue_arn

    @cached_property
    def dead_letter_queue_url(self) -> str:
        """The URL of the dead-letter queue."""
        return self.dead_letter_queue.queue_url

    @cached_property
    def dead_letter_queue_name(self) -> str:
        """The name of the dead-letter queue."""
        return self.dead_letter_queue.queue_name

    @cached_property
    def key_arns(self) -> list[str]:
        """The customer-managed keys that receiving, sending and redriving take: none, one or two."""
        keys = (self.encryption_key, self.dead_letter_encryption_key)
        return list(dict.fromkeys(key.key_arn for key in keys if key is not None))

    @property
    def broker(self) -> str:
        """The name of the service that holds the messages."""
        return "SQS"

    @property
    def access(self) -> Access:
        """What draining takes: receive, renew, delete; and poison goes straight to the dead-letter queue."""
        statements: list[dict[str, Any]] = [
            {
                "Effect": "Allow",
                "Action": ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"],
                "Resource": self.queue_arn,
            },
            {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": self.dead_letter_queue_arn},
        ]
        if keys := self.key_arns:
            statements.append({"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": keys})
        variables = {
            "QUEUE_NAME": self.queue_name,
            "QUEUE_URL": self.queue_url,
            "DEAD_LETTER_QUEUE_URL": self.dead_letter_queue_url,
            "VISIBILITY_TIMEOUT_SECONDS": str(self.visibility_timeout_seconds),
        }
        return Access(statements, variables)

    @cached_property
    def own_visibility_seconds(self) -> int | None:
        """The queue's own visibility timeout, which a function goes by. None for a queue made elsewhere."""
        made_here = self.queue.node.default_child
        if not isinstance(made_here, sqs.CfnQueue):
            return None
        own = made_here.visibility_timeout
        return _SQS_VISIBILITY if own is None else int(own)

    @property
    def signals(self) -> Signals:
        """What SQS reports of the queue every minute, free of charge; with `scale_for="quiet"` of quiet tenants."""
        return queue_signals(self.queue_name, quiet=self.scale_for == "quiet")

    @property
    def planner_input(self) -> PlannerInput | None:
        """The queue's name and URL, by which the planner reads its attributes and metrics.

        None with `scale_for="quiet"`: SQS does not count arrivals by tenant.
        """
        if self.scale_for == "quiet":
            return None
        return PlannerInput(
            fields={"queue_url": self.queue_url, "queue_name": self.queue_name},
            longest={
                "queue_url": TOKEN.sub(_LONGEST_QUEUE_URL, self.queue_url),
                "queue_name": TOKEN.sub(_LONGEST_QUEUE_NAME, self.queue_name),
            },
            actions=["sqs:GetQueueAttributes"],
            resource=self.queue_arn,
        )

    def check_demand(self, worker: str, demand: Demand) -> None:
        """Compare what a worker needs with what the queue bears; see `WorkSource`.

        Args:
            worker: The id of the worker, for the error.
            demand: What it needs.

        Raises:
            ConfigurationError: The queue cannot bear it.
        """
        check_demand(
            worker,
            demand,
            visibility=self.visibility_timeout_seconds,
            retention=self.retention_seconds,
            fifo=self.fifo,
        )
        if self.scale_for == "quiet" and not demand.min_tasks:
            raise ConfigurationError(
                f'{worker}: min_tasks is 0, and with scale_for="quiet" the messages of a noisy tenant would wake no '
                "task; let one run at least."
            )

    def work_alarms(self, demand: Demand, *, log_group_name: str) -> list[AlarmDefinition]:
        """The alarms of both queues while a worker drains them; see `WorkSource`.

        Args:
            demand: What the worker needs.
            log_group_name: The name of the worker's log group, for the commands that an alarm names.
        """
        return work_queue_alarms(
            queue_name=self.queue_name,
            dead_letter_queue_name=self.dead_letter_queue_name,
            log_group_name=log_group_name,
            acceptable_age_seconds=demand.acceptable_age_seconds,
            max_processing_seconds=demand.max_processing_seconds,
            tenants=self.tenants,
        )

    def look_command(self) -> str:
        """The AWS CLI command that shows the attributes of the queue."""
        return queue_attributes_command(self.queue_name)

    def allow_service_to_send(self, service: str, *, source_arn: str, source_account: str | None = None) -> None:
        """Allow an AWS service to send to the queue on behalf of a source.

        Args:
            service: The service's principal, such as "events.amazonaws.com".
            source_arn: The ARN of the source, a pattern.
            source_account: The account that the source is of. Defaults to this one.

        Raises:
            ConfigurationError: The queue is encrypted with a key that no service can use.
        """
        self._allow("queue", self.queue, self.queue_arn, self.encryption_key, service, source_arn, source_account)

    def allow_service_to_dead_letter(self, service: str, *, source_arn: str, source_account: str | None = None) -> None:
        """Allow an AWS service to put what it could not deliver into the dead-letter queue.

        Args:
            service: The service's principal, such as "sns.amazonaws.com".
            source_arn: The ARN of the source, a pattern.
            source_account: The account that the source is of. Defaults to this one.

        Raises:
            ConfigurationError: The queue is encrypted with a key that no service can use.
        """
        key = self.dead_letter_encryption_key
        arn = self.dead_letter_queue_arn
        self._allow("dead-letter queue", self.dead_letter_queue, arn, key, service, source_arn, source_account)

    def _allow(
        self,
        what: str,
        queue: sqs.IQueue,
        queue_arn: str,
        key: kms.IKey | None,
        service: str,
        source_arn: str,
        source_account: str | None,
    ) -> None:
        if (queue_arn, service, source_arn) in self._services:
            return
        self._services.add((queue_arn, service, source_arn))
        if queue.encryption_type == sqs.QueueEncryption.KMS_MANAGED:
            # https://github.com/aws/aws-cdk/issues/30549
            raise ConfigurationError(
                f"{self.node.path}: {service} cannot use the key of the {what}, alias/aws/sqs, and could send nothing; "
                "encrypt it with SSE-SQS or with a key of your own."
            )
        # A pattern, not the rule's or topic's own ARN: that may be a later stack's, and stacks must not form a ring.
        from_account = {"StringEquals": {"aws:SourceAccount": source_account or account()}}
        condition = {**from_account, "ArnLike": {"aws:SourceArn": source_arn}}
        may_send = _statement(service, ["sqs:SendMessage"], queue_arn, condition)
        if not queue.add_to_resource_policy(iam.PolicyStatement.from_json(may_send)).statement_added:
            announce_statements(self, f"the {what}", may_send)
        if key is None:
            return
        may_encrypt = _statement(service, ["kms:Decrypt", "kms:GenerateDataKey"], "*", from_account)
        granted = (key.key_arn, service, str(source_account))
        if granted not in self._services:
            self._services.add(granted)
            allow_by_key(self, key, f"the {what}", may_encrypt)

    def _make_queues(
        self,
        id: str,
        max_receive_count: int,
        *,
        retention: int,
        dead_letter_retention: int,
        receive_wait: int,
        removal_policy: RemovalPolicy,
    ) -> None:
        _check_range(id, "retention", retention, 60, 14 * 86_400)
        _check_range(id, "dead_letter_retention", dead_letter_retention, 60, 14 * 86_400)
        _check_range(id, "receive_wait", receive_wait, 0, 20)
        if not 1 <= max_receive_count <= 1_000:
            raise ConfigurationError(f"{id}: max_receive_count is {max_receive_count}; SQS takes 1 to 1000.")
        # A move to a standard dead-letter queue keeps the time of the first send; a FIFO queue starts again.
        if not self.fifo and dead_letter_retention <= retention:
            raise ConfigurationError(
                f"{id}: dead_letter_retention ({in_words(dead_letter_retention)}) must exceed retention "
                f"({in_words(retention)}), or a message that waited long is deleted on its arrival; make it 14 days."
            )

        def make(name: str, **options: Any) -> sqs.Queue:
            return sqs.Queue(
                self,
                name,
                fifo=True if self.fifo else None,
                content_based_deduplication=True if self.fifo else None,
                deduplication_scope=sqs.DeduplicationScope.MESSAGE_GROUP if self.fifo else None,
                fifo_throughput_limit=sqs.FifoThroughputLimit.PER_MESSAGE_GROUP_ID if self.fifo else None,
                encryption=sqs.QueueEncryption.KMS if self.encryption_key else sqs.QueueEncryption.SQS_MANAGED,
                encryption_master_key=self.encryption_key,
                enforce_ssl=True,
                removal_policy=removal_policy,
                **options,
            )

        if removal_policy != RemovalPolicy.DESTROY:
            # A kept queue without its policy would take plain HTTP.
            RemovalPolicies.of(self).apply(removal_policy, apply_to_resource_types=["AWS::SQS::QueuePolicy"])
        # No redrive allow policy: it would have to name the queue, whose redrive policy already names this one.
        dead_letter_queue = make("DeadLetterQueue", retention_period=seconds(dead_letter_retention))
        self.dead_letter_queue = dead_letter_queue
        self.queue = make(
            "Queue",
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letter_queue, max_receive_count=max_receive_count),
            retention_period=seconds(retention),
            receive_message_wait_time=seconds(receive_wait),
            visibility_timeout=seconds(self.visibility_timeout_seconds),
        )
        acknowledge(
            self,
            {
                "Serverless-SQSRedrivePolicy": "A dead-letter queue is the end of the line: its alarm calls a person, "
                "who redrives or deletes."
            },
        )


def queue_signals(queue_name: str, *, quiet: bool = False) -> Signals:
    """The metrics that SQS reports of a queue.

    Args:
        queue_name: The name of the queue.
        quiet: Whether the messages of noisy tenants are left out; arrivals are not counted then. Defaults to False.
    """
    these = of_quiet_groups(quiet)
    return Signals(
        backlog=queue_metric(queue_name, f"ApproximateNumberOfMessagesVisible{these}"),
        in_flight=queue_metric(queue_name, f"ApproximateNumberOfMessagesNotVisible{these}"),
        oldest_age=queue_metric(queue_name, f"ApproximateAgeOfOldestMessage{these}"),
        arrivals=None if quiet else queue_metric(queue_name, "NumberOfMessagesSent", statistic="Sum"),
        deliveries=queue_metric(queue_name, "NumberOfMessagesReceived", statistic="Sum"),
        acknowledged=queue_metric(queue_name, "NumberOfMessagesDeleted", statistic="Sum"),
    )


def work_source(
    worker: Construct,
    source: WorkSource | SharedSource | Queue | None,
    *,
    demand: Demand,
    dead_letter_queue: Queue | None,
    fifo: bool,
    visibility_timeout: Duration | None,
) -> WorkSource:
    """The source of work that a worker was given, an existing queue as a `WorkerQueue`, or a new one.

    Args:
        worker: The worker.
        source: A source of work, one that workers share, or an existing queue. None is a new queue.
        demand: What the worker needs.
        dead_letter_queue: The dead-letter queue of an existing queue that was made elsewhere.
        fifo: Whether the new queue is FIFO.
        visibility_timeout: That of the new queue, or of the existing one.

    Raises:
        ConfigurationError: The options belong to another kind of source, or the source is none.
    """
    # The class first: to compare with the protocol reads every one of its members.
    if not isinstance(source, WorkerQueue) and isinstance(source, (SharedSource, WorkSource)):
        _refuse_options(worker, source, dead_letter_queue, visibility_timeout, fifo=fifo)
        return source.for_worker(worker, demand) if isinstance(source, SharedSource) else source
    return queue_source(
        worker, source, dead_letter_queue=dead_letter_queue, fifo=fifo, visibility_timeout=visibility_timeout
    )


def queue_source(
    worker: Construct,
    source: "WorkerQueue | Queue | None",
    *,
    dead_letter_queue: Queue | None,
    fifo: bool,
    visibility_timeout: Duration | None,
) -> "WorkerQueue":
    """The queue that a worker was given, an existing one as a `WorkerQueue`, or a new one; see `work_source`.

    Args:
        worker: The worker.
        source: A queue, or None for a new one.
        dead_letter_queue: The dead-letter queue of an existing queue that was made elsewhere.
        fifo: Whether the new queue is FIFO.
        visibility_timeout: That of the new queue, or of the existing one.

    Raises:
        ConfigurationError: The options belong to another kind of source, or the source is none.
    """
    if isinstance(source, WorkerQueue):
        _refuse_options(worker, source, dead_letter_queue, visibility_timeout, fifo=fifo)
        return source
    if source is not None and not hasattr(type(source), "queue_arn"):
        raise ConfigurationError(
            f"{worker.node.path}: source is of type {type(source).__name__}; give a WorkerQueue, an SQS queue or "
            "another WorkSource."
        )
    if source is not None and fifo:
        raise ConfigurationError(
            f"{worker.node.path}: fifo=True is for a new queue; an existing one is what it is, leave fifo out."
        )
    return WorkerQueue(
        worker,
        "Queue",
        fifo=fifo,
        visibility_timeout=visibility_timeout,
        queue=source,
        dead_letter_queue=dead_letter_queue,
    )


def _refuse_options(
    worker: Construct,
    source: object,
    dead_letter_queue: Queue | None,
    visibility_timeout: Duration | None,
    *,
    fifo: bool,
) -> None:
    if dead_letter_queue is not None or visibility_timeout is not None or fifo:
        raise ConfigurationError(
            f"{worker.node.path}: the {type(source).__name__} has its own dead_letter_queue, visibility_timeout "
            "and fifo; set them there."
        )


def _dead_letter_queue_of(id: str, queue: sqs.IQueue, dead_letter_queue: sqs.IQueue | None) -> sqs.IQueue:
    if dead_letter_queue is not None:
        return dead_letter_queue
    own = _own_dead_letters(queue)
    if own is None:
        raise ConfigurationError(
            f"{id}: the queue has no dead-letter queue that can be seen from here; give dead_letter_queue=."
        )
    return own.queue


def _own_dead_letters(queue: sqs.IQueue) -> sqs.DeadLetterQueue | None:
    """What a queue says of its dead letters; one made elsewhere says nothing."""
    return queue.dead_letter_queue if isinstance(queue, sqs.Queue) else None


def _check_types(id: str, fifo: bool, dead_letter_fifo: bool) -> None:
    if fifo != dead_letter_fifo:
        kinds = {True: "FIFO", False: "standard"}
        raise ConfigurationError(
            f"{id}: the queue is {kinds[fifo]} and its dead-letter queue is {kinds[dead_letter_fifo]}; "
            f"SQS moves messages only into a {kinds[fifo]} one."
        )


def _check_tenants(id: str, *, tenants: bool, scale_for: str, fifo: bool) -> None:
    if scale_for not in get_args(ScaleFor):
        raise ConfigurationError(f"{id}: scale_for is {scale_for!r}; use one of {', '.join(get_args(ScaleFor))}.")
    if tenants and fifo:
        raise ConfigurationError(
            f"{id}: tenants is for standard queues; to a FIFO queue, MessageGroupId is the group whose order it keeps."
        )
    if scale_for == "quiet" and not tenants:
        raise ConfigurationError(
            f'{id}: scale_for="quiet" needs to know the tenants; set tenants=True, and let senders name them.'
        )


def _check_range(id: str, name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigurationError(f"{id}: {name} is {in_words(value)}; SQS takes {in_words(least)} to {in_words(most)}.")


def _statement(service: str, actions: list[str], resource: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": actions,
        "Resource": resource,
        "Condition": dict(condition),
    }
