"""A queue and its dead-letter queue."""

from functools import cached_property
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from fargate_workers._acknowledge import acknowledge
from fargate_workers._aws import account
from fargate_workers._durations import seconds
from fargate_workers._timing import in_seconds, in_words

VISIBILITY_TIMEOUT = 120
RETENTION = 4 * 86_400
DEAD_LETTER_RETENTION = 14 * 86_400
RECEIVE_WAIT = 20
MAX_RECEIVE_COUNT = 5


class WorkerQueue(Construct):
    """An SQS queue for workers, and the dead-letter queue for messages they had to give up.

        orders = WorkerQueue(self, "Orders")

    Both are encrypted, refuse plain HTTP and survive the stack.

    fifo: Whether messages of a group keep their order. Both queues are then FIFO, deduplicate by content within a
        message group, and have their throughput quota per group. Default: no.
    visibility_timeout: How long a received message stays hidden; workers renew it while they work, so this is how soon
        another task takes over from one that died. Default: 120 s.
    max_receive_count: After how many receives a message is given up. Default: 5, because stopped tasks count as well.
    retention: How long a message may wait. Default: 4 days.
    dead_letter_retention: How long a dead letter is kept. A standard queue counts from the first send, so this must
        exceed `retention`. Default: 14 days, the longest.
    receive_wait: How long a receive waits for messages. Default: 20 s, the longest and cheapest.
    encryption_key: A key of yours for both queues. Default: SQS's own (SSE-SQS).
    removal_policy: What becomes of the queues when they leave the stack. Default: they are retained.
    queue, dead_letter_queue: Your queues instead of new ones; of the options above, only `visibility_timeout` is then
        used. A queue made in this app brings its dead-letter queue along. A queue made elsewhere cannot be changed
        from here: its own policy must let services send to it. Default: new ones.

    Raises ValueError for values SQS refuses, and for combinations that lose messages.
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
        encryption_key: kms.IKey | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN,
        queue: sqs.IQueue | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
    ) -> None:
        super().__init__(scope, id)
        self.visibility_timeout_seconds = in_seconds(visibility_timeout, VISIBILITY_TIMEOUT)
        _check_range(id, "visibility_timeout", self.visibility_timeout_seconds, 0, 12 * 3_600)
        self._services: set[tuple[str, str, str]] = set()

        self.retention_seconds: int | None
        self.max_receive_count: int | None
        self.queue: sqs.IQueue
        self.dead_letter_queue: sqs.IQueue
        if queue is not None:
            self.queue, self.dead_letter_queue = queue, _dead_letter_queue_of(id, queue, dead_letter_queue)
            self.fifo = queue.fifo
            self.encryption_key = queue.encryption_master_key
            self.retention_seconds = None
            own = _own_dead_letters(queue)
            self.max_receive_count = None if own is None else int(own.max_receive_count)
            self._aws_managed_key = queue.encryption_type == sqs.QueueEncryption.KMS_MANAGED
            _check_types(id, self.fifo, self.dead_letter_queue.fifo)
        elif dead_letter_queue is not None:
            raise ValueError(f"{id}: dead_letter_queue belongs to a queue of yours; give that as queue=, too.")
        else:
            self.fifo = fifo
            self.encryption_key = encryption_key
            self.retention_seconds = in_seconds(retention, RETENTION)
            self.max_receive_count = max_receive_count
            self._aws_managed_key = False
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
        return self.queue.queue_arn

    @cached_property
    def queue_url(self) -> str:
        return self.queue.queue_url

    @cached_property
    def queue_name(self) -> str:
        return self.queue.queue_name

    @cached_property
    def dead_letter_queue_arn(self) -> str:
        return self.dead_letter_queue.queue_arn

    @cached_property
    def dead_letter_queue_url(self) -> str:
        return self.dead_letter_queue.queue_url

    @cached_property
    def dead_letter_queue_name(self) -> str:
        return self.dead_letter_queue.queue_name

    def allow_service_to_send(self, service: str, *, source_arn: str) -> None:
        """Let an AWS service, such as "events.amazonaws.com", send on behalf of this account's `source_arn` pattern."""
        self._allow(self.queue, self.queue_arn, service, source_arn)

    def allow_service_to_dead_letter(self, service: str, *, source_arn: str) -> None:
        """Let an AWS service put what it could not deliver into the dead-letter queue."""
        self._allow(self.dead_letter_queue, self.dead_letter_queue_arn, service, source_arn)

    def _allow(self, queue: sqs.IQueue, queue_arn: str, service: str, source_arn: str) -> None:
        if (queue_arn, service, source_arn) in self._services:
            return
        self._services.add((queue_arn, service, source_arn))
        if self._aws_managed_key:
            # https://github.com/aws/aws-cdk/issues/30549
            raise ValueError(
                f"{self.node.path}: {service} cannot use the queue's key, alias/aws/sqs, and could send nothing; "
                "encrypt the queue with SSE-SQS or with a key of your own."
            )
        # A pattern, not the rule's or topic's own ARN: that may be a later stack's, and stacks must not form a ring.
        condition = {"StringEquals": {"aws:SourceAccount": account()}, "ArnLike": {"aws:SourceArn": source_arn}}
        queue.add_to_resource_policy(_statement(service, ["sqs:SendMessage"], queue_arn, condition))
        if self.encryption_key is not None and ("key", service, "") not in self._services:
            self._services.add(("key", service, ""))
            self.encryption_key.add_to_resource_policy(
                _statement(
                    service,
                    ["kms:Decrypt", "kms:GenerateDataKey"],
                    "*",
                    {"StringEquals": {"aws:SourceAccount": account()}},
                )
            )

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
            raise ValueError(f"{id}: max_receive_count is {max_receive_count}; SQS takes 1 to 1000.")
        # A move to a standard dead-letter queue keeps the time of the first send; a FIFO queue starts again.
        if not self.fifo and dead_letter_retention <= retention:
            raise ValueError(
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


def _dead_letter_queue_of(id: str, queue: sqs.IQueue, dead_letter_queue: sqs.IQueue | None) -> sqs.IQueue:
    if dead_letter_queue is not None:
        return dead_letter_queue
    own = _own_dead_letters(queue)
    if own is None:
        raise ValueError(
            f"{id}: the queue has no dead-letter queue that can be seen from here; give dead_letter_queue=."
        )
    return own.queue


def _own_dead_letters(queue: sqs.IQueue) -> sqs.DeadLetterQueue | None:
    """What a queue says of its dead letters; one made elsewhere says nothing."""
    return queue.dead_letter_queue if isinstance(queue, sqs.Queue) else None


def _check_types(id: str, fifo: bool, dead_letter_fifo: bool) -> None:
    if fifo != dead_letter_fifo:
        kinds = {True: "FIFO", False: "standard"}
        raise ValueError(
            f"{id}: the queue is {kinds[fifo]} and its dead-letter queue is {kinds[dead_letter_fifo]}; "
            f"SQS moves messages only into a {kinds[fifo]} one."
        )


def _check_range(id: str, name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{id}: {name} is {in_words(value)}; SQS takes {in_words(least)} to {in_words(most)}.")


def _statement(service: str, actions: list[str], resource: str, condition: dict[str, Any]) -> iam.PolicyStatement:
    return iam.PolicyStatement.from_json(
        {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": actions,
            "Resource": resource,
            "Condition": condition,
        }
    )
