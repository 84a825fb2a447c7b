"""What a topic needs in order to send to a worker's queue, wherever it is."""

from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers.cloudformation import (
    account,
    announce_statements,
    arn,
    check_place,
    has_token,
    partition,
    stack_of,
)
from fargate_workers.sources.sqs.worker_queue import WorkerQueue


def let_topic_send(scope: Construct, topic: sns.ITopic | sns.Topic, queue: WorkerQueue) -> None:
    """Let SNS send what `topic` publishes to the queue, and what it cannot deliver to the dead letters.

    Raises ConfigurationError for a topic of another region.
    """
    check_place(
        scope,
        "the topic",
        topic,
        any_account=True,
        way_out="SNS keeps what it cannot deliver only in the topic's own region, so let a topic or rule of this one "
        "pass it on",
    )
    theirs, ours = topic.env.account, stack_of(scope).account
    of_their_account = is_of_another_account(scope, topic)
    source_arn = topic.topic_arn if of_their_account else arn("sns", "*")
    for allow in (queue.allow_service_to_send, queue.allow_service_to_dead_letter):
        allow("sns.amazonaws.com", source_arn=source_arn, source_account=theirs if of_their_account else None)
    if of_their_account and not has_token(ours):
        announce_statements(
            scope,
            "the topic",
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition()}:iam::{account()}:root"},
                "Action": "sns:Subscribe",
                "Resource": topic.topic_arn,
            },
        )


def is_of_another_account(scope: Construct, topic: sns.ITopic | sns.Topic) -> bool:
    """Whether the topic is of another account, where its metrics are, too.

    Imported by an ARN with an account in it; a topic of this app has none that is known, or the stack's.
    """
    theirs = topic.env.account
    return not has_token(theirs) and theirs != stack_of(scope).account
