"""What a topic and a bucket send to a worker's queue: the subscription, the rule, and what they must be allowed."""

from collections.abc import Mapping
from typing import Any, Literal

from aws_cdk import Names
from aws_cdk import aws_events as events
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers.cloudformation import TOKEN, arn, object_created, switch_on_event_bridge
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.sqs.sns_topic import let_topic_send
from fargate_workers.sources.sqs.worker_queue import WorkerQueue

FilterOn = Literal["MessageAttributes", "MessageBody"]


def subscribe(
    scope: Construct,
    queue: WorkerQueue,
    topic: sns.ITopic | sns.Topic,
    *,
    worker: str,
    filter_policy: Mapping[str, Any] | None,
    filter_on: FilterOn,
) -> sns.CfnSubscription:
    """The subscription of a queue to a topic, with raw messages.

    Args:
        scope: The construct that the subscription belongs to.
        queue: The queue that receives.
        topic: The topic, of this region.
        worker: The id of the worker, for errors.
        filter_policy: SNS's filter policy. None is every message.
        filter_on: What the filter reads.

    Raises:
        ConfigurationError: One of topic and queue is FIFO, the topic is of another region, or the queue is subscribed
            already.
    """
    if topic.fifo != queue.fifo:
        kinds = ("standard", "FIFO")
        raise ConfigurationError(
            f"{worker}: the topic is {kinds[topic.fifo]} and the queue is {kinds[queue.fifo]}; let both be of one kind."
        )
    topic_arn = topic.topic_arn
    if topic_arn in queue.topics:
        raise ConfigurationError(
            f"{worker}: the queue receives from this topic already, and SNS gives a queue one subscription to a "
            "topic; join both filters in one call."
        )
    queue.topics.add(topic_arn)
    let_topic_send(scope, topic, queue)
    return sns.CfnSubscription(
        scope,
        f"Subscription{Names.node_unique_id(topic.node)}",
        topic_arn=topic_arn,
        protocol="sqs",
        endpoint=queue.queue,
        raw_message_delivery=True,
        filter_policy=None if filter_policy is None else dict(filter_policy),
        filter_policy_scope=None if filter_policy is None else filter_on,
        redrive_policy={"deadLetterTargetArn": queue.dead_letter_queue_arn},
    )


def receive_objects(
    scope: Construct,
    queue: WorkerQueue,
    bucket: s3.IBucket,
    *,
    worker: str,
    prefix: str | None,
    suffix: str | None,
) -> events.CfnRule:
    """The rule that sends a message for each object created in a bucket.

    Args:
        scope: The construct that the rule belongs to.
        queue: The queue that receives.
        bucket: The bucket, of this account and region.
        worker: The id of the worker, for the rule's description and errors.
        prefix: How the keys begin. None is any way.
        suffix: How the keys end. None is any way.

    Raises:
        ConfigurationError: The queue is FIFO, or the bucket is of another account or region.
    """
    if queue.fifo:
        raise ConfigurationError(
            f"{worker}: S3 announces objects in no order that a FIFO queue could keep; use a standard queue."
        )
    switch_on_event_bridge(bucket, rules_in=scope)
    rules = arn("events", "rule/*")
    queue.allow_service_to_send("events.amazonaws.com", source_arn=rules)
    queue.allow_service_to_dead_letter("events.amazonaws.com", source_arn=rules)
    return events.CfnRule(
        scope,
        _rule_id(scope, bucket, prefix or "", suffix or ""),
        description=f"New objects for {worker[:400]}.",
        event_pattern=object_created(bucket.bucket_name, prefix=prefix, suffix=suffix),
        targets=[
            events.CfnRule.TargetProperty(
                id="Queue",
                arn=queue.queue_arn,
                dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=queue.dead_letter_queue_arn),
                # EventBridge's longest: an object is not announced twice.
                retry_policy=events.CfnRule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=86_400, maximum_retry_attempts=185
                ),
            )
        ],
    )


def _rule_id(scope: Construct, bucket: s3.IBucket, prefix: str, suffix: str) -> str:
    """By what it selects, so that a new rule replaces no other."""
    selected = f"ObjectCreated {bucket.node.id} {prefix}*{suffix}"
    known = TOKEN.sub("later", selected)
    if scope.node.try_find_child(known) is None:
        return known
    if known == selected:
        return f"{known} {bucket.node.addr}"  # another bucket of the same id
    return f"{known} {len(scope.node.children)}"
