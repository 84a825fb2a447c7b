"""The log of what a topic could not deliver to its queues."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers.cloudformation import account, allow, arn, region, service_role
from fargate_workers.compliance import acknowledge
from fargate_workers.errors import ConfigurationError

_ID = "DeliveryLog"


def log_failed_deliveries(
    topic: sns.ITopic | sns.Topic,
    *,
    worker: str,
    encryption_key: kms.IKey | None,
    retention: logs.RetentionDays,
    removal_policy: RemovalPolicy,
) -> None:
    """Let a topic log each delivery to a queue that failed, with SNS's reason; a second call changes nothing.

    https://docs.aws.amazon.com/sns/latest/dg/sns-topic-attributes.html

    Args:
        topic: The topic, made in this app.
        worker: The id of the worker, for the error.
        encryption_key: A customer-managed key for the log group. None is CloudWatch's own.
        retention: How long lines are kept.
        removal_policy: What happens to the log group when it leaves the stack.

    Raises:
        ConfigurationError: The topic was made elsewhere.
    """
    if not isinstance(topic, sns.Topic):
        raise ConfigurationError(
            f"{worker}: log_failures changes the topic, which was made elsewhere; leave it out, and switch the log on "
            "where the topic is made."
        )
    if topic.node.try_find_child(_ID) is not None:
        return
    parts = Construct(topic, _ID)
    # SNS makes one that never forgets unless it finds this one.
    logs.LogGroup(
        parts,
        "Failures",
        log_group_name=f"sns/{region()}/{account()}/{topic.topic_name}/Failure",
        encryption_key=encryption_key,
        retention=retention,
        removal_policy=removal_policy,
    )
    # A pattern, because the topic names the role and so cannot be named by it.
    groups = f"log-group:sns/{region()}/{account()}/*"
    may_log = allow(["logs:CreateLogStream", "logs:PutLogEvents"], arn("logs", groups))
    role = service_role(parts, "sns.amazonaws.com", [may_log])
    named = "arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:sns/<AWS::Region>/<AWS::AccountId>/*"
    acknowledge(
        parts,
        {
            f"AwsSolutions-IAM5[Resource::{named}]": "The topic names this role, so its policy cannot name the topic's "
            "log group; the wildcard stands for the topics' names in SNS's own log groups."
        },
    )
    topic.add_logging_config(
        protocol=sns.LoggingProtocol.SQS,
        failure_feedback_role=iam.Role.from_role_arn(parts, "Writer", role.role_arn, mutable=False),
    )
