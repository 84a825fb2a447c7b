"""A queue that AWS services write to: TLS only, encrypted by SQS, and only for senders of this account."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from aws_cdk import RemovalPolicy
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from fargate_workers.cloudformation.pseudo_parameters import arn
from fargate_workers.compliance import acknowledge


class ServiceQueue:
    """A queue and its tokens; each is read once, and only when somebody needs it."""

    def __init__(self, resource: sqs.CfnQueue) -> None:
        self.resource = resource
        self.arn: str = resource.attr_arn
        self.url: str = resource.ref

    @cached_property
    def name(self) -> str:
        return self.resource.attr_queue_name


def service_queue(
    scope: Construct,
    id: str,
    *,
    senders: Sequence[Literal["events", "sns"]],
    retention_days: int,
    removal_policy: RemovalPolicy,
    redrive_policy: Mapping[str, Any] | None = None,
) -> ServiceQueue:
    """Make the queue and its policy, and read each token once."""
    resource = sqs.CfnQueue(
        scope,
        id,
        message_retention_period=retention_days * 86_400,
        receive_message_wait_time_seconds=20,
        sqs_managed_sse_enabled=True,
        redrive_policy=redrive_policy,
    )
    queue = ServiceQueue(resource)
    policy = sqs.CfnQueuePolicy(scope, f"{id}Policy", queues=[queue.url], policy_document=_policy(queue.arn, senders))
    if removal_policy != RemovalPolicy.DESTROY:  # which is what CloudFormation does by itself
        # A kept queue without its policy would take plain HTTP.
        for kept in (resource, policy):
            kept.apply_removal_policy(removal_policy)
    return queue


def dead_letter_queue(
    scope: Construct,
    id: str,
    *,
    removal_policy: RemovalPolicy,
    senders: Sequence[Literal["events", "sns"]] = ("events", "sns"),
    retention_days: int = 14,
) -> ServiceQueue:
    """A queue for what EventBridge, Scheduler, Lambda or SNS could not deliver; kept 14 days by default, SQS's most."""
    queue = service_queue(scope, id, senders=senders, retention_days=retention_days, removal_policy=removal_policy)
    acknowledge(
        queue.resource,
        {"Serverless-SQSRedrivePolicy": "A dead-letter queue itself; AwsSolutions-SQS3, which can tell, passes."},
    )
    return queue


def _policy(queue_arn: str, senders: Sequence[str]) -> dict[str, Any]:
    only_over_tls = {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "sqs:*",
        "Resource": queue_arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    # A pattern, not the sender's ARN: senders live in other stacks, which depend on this one already.
    from_this_account = [
        {
            "Sid": f"From{sender.capitalize()}OfThisAccount",
            "Effect": "Allow",
            "Principal": {"Service": f"{sender}.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnLike": {"aws:SourceArn": arn(sender, "*")}},
        }
        for sender in senders
    ]
    return {"Version": "2012-10-17", "Statement": [only_over_tls, *from_this_account]}
