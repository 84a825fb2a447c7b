"""A queue and its dead-letter queue."""

from typing import Any

import pytest
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs

from fargate_workers.sources.sqs.worker_queue import WorkerQueue
from tests.doubles.stack_facts import Facts, synthesize

PATTERN = "arn:aws:events:eu-west-1:111111111111:rule/*"


def sending(stack: Stack) -> None:
    queue = WorkerQueue(stack, "Orders", encryption_key=kms.Key(stack, "Key"))
    for _ in range(2):
        queue.allow_service_to_send("events.amazonaws.com", source_arn=PATTERN)
        queue.allow_service_to_dead_letter("events.amazonaws.com", source_arn=PATTERN)


def made_elsewhere(stack: Stack) -> None:
    queue = WorkerQueue(
        stack,
        "Orders",
        queue=sqs.Queue.from_queue_arn(stack, "Q", "arn:aws:sqs:eu-west-1:111111111111:orders"),
        dead_letter_queue=sqs.Queue.from_queue_arn(stack, "D", "arn:aws:sqs:eu-west-1:111111111111:orders-dead"),
    )
    assert (queue.queue_name, queue.dead_letter_queue_name) == ("orders", "orders-dead")
    assert queue.visibility_timeout_seconds == 120
    assert not queue.fifo


def chosen(stack: Stack) -> None:
    WorkerQueue(
        stack,
        "Orders",
        visibility_timeout=Duration.minutes(5),
        max_receive_count=3,
        retention=Duration.days(1),
        dead_letter_retention=Duration.days(7),
        receive_wait=Duration.seconds(5),
        removal_policy=RemovalPolicy.DESTROY,
    )


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    return synthesize(
        {
            "default": lambda stack: WorkerQueue(stack, "Orders"),
            "fifo": lambda stack: WorkerQueue(stack, "Orders", fifo=True),
            "chosen": chosen,
            "sending": sending,
            "made-elsewhere": made_elsewhere,
        }
    )


def both(facts: Facts) -> tuple[dict[str, Any], dict[str, Any]]:
    """The queue and its dead-letter queue."""
    queues = facts.all("SQS::Queue")
    (queue,) = [each for each in queues if "RedrivePolicy" in each]
    (dead_letter_queue,) = [each for each in queues if "RedrivePolicy" not in each]
    return queue, dead_letter_queue


def test_defaults(stacks: dict[str, Facts]) -> None:
    queue, dead_letter_queue = both(stacks["default"])
    assert queue["VisibilityTimeout"] == 120
    assert queue["MessageRetentionPeriod"] == 4 * 86_400
    assert queue["ReceiveMessageWaitTimeSeconds"] == 20
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 100
    assert dead_letter_queue["MessageRetentionPeriod"] == 14 * 86_400
    assert queue["SqsManagedSseEnabled"] is dead_letter_queue["SqsManagedSseEnabled"] is True
    assert "FifoQueue" not in queue


def test_options(stacks: dict[str, Facts]) -> None:
    queue, dead_letter_queue = both(stacks["chosen"])
    assert queue["VisibilityTimeout"] == 300
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 3
    assert queue["MessageRetentionPeriod"] == 86_400
    assert queue["ReceiveMessageWaitTimeSeconds"] == 5
    assert dead_letter_queue["MessageRetentionPeriod"] == 7 * 86_400


def test_both_queues_survive_the_stack_unless_they_may_go(stacks: dict[str, Facts]) -> None:
    policies = {name: {each["DeletionPolicy"] for each in stacks[name].whole("SQS::Queue")} for name in stacks}
    assert policies["default"] == {"RetainExceptOnCreate"}
    assert policies["chosen"] == {"Delete"}


def test_both_queues_refuse_plain_http(stacks: dict[str, Facts]) -> None:
    policies = stacks["default"].all("SQS::QueuePolicy")
    assert len(policies) == 2
    for policy in policies:
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_fifo_queue_has_a_fifo_dead_letter_queue_and_a_quota_per_group(stacks: dict[str, Facts]) -> None:
    for queue in both(stacks["fifo"]):
        assert queue["FifoQueue"] is True
        assert queue["ContentBasedDeduplication"] is True
        assert queue["DeduplicationScope"] == "messageGroup"
        assert queue["FifoThroughputLimit"] == "perMessageGroupId"


def test_a_service_may_send_on_behalf_of_this_account_only_and_is_told_once(stacks: dict[str, Facts]) -> None:
    for policy in stacks["sending"].all("SQS::QueuePolicy"):
        (allowed,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
        assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
        assert allowed["Action"] == "sqs:SendMessage"
        assert allowed["Condition"] == {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            "ArnLike": {"aws:SourceArn": PATTERN},
        }


def test_a_service_which_may_send_may_use_the_queues_key(stacks: dict[str, Facts]) -> None:
    facts = stacks["sending"]
    statements = facts.only("KMS::Key")["KeyPolicy"]["Statement"]
    (allowed,) = [each for each in statements if each["Principal"] == {"Service": "events.amazonaws.com"}]
    assert allowed["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert {each["KmsMasterKeyId"]["Fn::GetAtt"][0] for each in facts.all("SQS::Queue")} == {facts.id_of("KMS::Key")}


def test_queues_made_elsewhere_are_used_and_not_made(stacks: dict[str, Facts]) -> None:
    assert stacks["made-elsewhere"].resources == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_receive_count": 0}, "max_receive_count is 0; SQS takes 1 to 1000"),
        ({"max_receive_count": 1_001}, "max_receive_count is 1001"),
        ({"visibility_timeout": Duration.hours(13)}, "visibility_timeout is 13 hours; SQS takes 0 s to 12 hours"),
        ({"receive_wait": Duration.seconds(21)}, "receive_wait is 21 s; SQS takes 0 s to 20 s"),
        ({"retention": Duration.days(15)}, "retention is 15 days; SQS takes 1 min to 14 days"),
        (
            {"retention": Duration.days(4), "dead_letter_retention": Duration.days(4)},
            r"dead_letter_retention \(4 days\) must exceed retention \(4 days\)",
        ),
    ],
)
def test_values_that_lose_messages_or_that_sqs_refuses(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WorkerQueue(Stack(), "Orders", **options)


def test_a_fifo_queue_restarts_the_clock_so_its_dead_letters_need_not_be_kept_longer() -> None:
    WorkerQueue(Stack(), "Orders", fifo=True, dead_letter_retention=Duration.days(4))


def test_a_queue_brings_its_dead_letter_queue_along() -> None:
    stack = Stack()
    dead = sqs.Queue(stack, "Dead")
    queue = sqs.Queue(stack, "Q", dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=3))
    assert WorkerQueue(stack, "Orders", queue=queue).dead_letter_queue.queue_arn == dead.queue_arn


def test_a_queue_without_dead_letter_queue_is_refused() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="no dead-letter queue that can be seen from here"):
        WorkerQueue(stack, "Orders", queue=sqs.Queue(stack, "Q"))


def test_a_dead_letter_queue_without_its_queue_is_refused() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="belongs to an existing queue"):
        WorkerQueue(stack, "Orders", dead_letter_queue=sqs.Queue(stack, "Dead"))


def test_a_fifo_queue_with_a_standard_dead_letter_queue_is_refused() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="the queue is FIFO and its dead-letter queue is standard"):
        WorkerQueue(stack, "Orders", queue=sqs.Queue(stack, "Q", fifo=True), dead_letter_queue=sqs.Queue(stack, "Dead"))


def test_a_service_cannot_send_through_the_key_that_aws_manages() -> None:
    stack = Stack()
    queue = sqs.Queue(stack, "Q", encryption=sqs.QueueEncryption.KMS_MANAGED)
    ours = WorkerQueue(stack, "Orders", queue=queue, dead_letter_queue=sqs.Queue(stack, "Dead"))
    with pytest.raises(ValueError, match="alias/aws/sqs"):
        ours.allow_service_to_send("events.amazonaws.com", source_arn=PATTERN)
