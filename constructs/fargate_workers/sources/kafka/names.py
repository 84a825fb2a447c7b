"""The names of Kafka's topics and groups, and the ARNs by which IAM knows them."""

import re

from aws_cdk import Fn

from fargate_workers.cloudformation import has_token
from fargate_workers.errors import ConfigurationError

# https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/internals/Topic.java
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
# What IAM takes in a resource without a wildcard, and CloudWatch in a dimension.
_GROUP = re.compile(r"[a-zA-Z0-9._-]{1,200}")


def check_topic_name(where: str, name: str) -> None:
    """Check the name of a topic.

    Args:
        where: What has the name, for the error.
        name: The name.

    Raises:
        ConfigurationError: Kafka takes no such name.
    """
    if _TOPIC.fullmatch(name) is None or name in (".", ".."):
        raise ConfigurationError(
            f'{where}: the topic is called "{name}"; Kafka takes up to 249 letters, digits, dots, hyphens and '
            "underscores."
        )


def check_group_name(where: str, name: str) -> None:
    """Check the name of a consumer group.

    Args:
        where: What has the name, for the error.
        name: The name.

    Raises:
        ConfigurationError: The name has a colon, for which MSK reports no lag, or what IAM would not take.
    """
    if ":" in name:
        # https://docs.aws.amazon.com/msk/latest/developerguide/consumer-lag.html
        raise ConfigurationError(
            f'{where}: the consumer group is called "{name}", and MSK reports no lag of groups with a colon in their '
            'name; write it like "apply-orders".'
        )
    if _GROUP.fullmatch(name) is None:
        raise ConfigurationError(
            f'{where}: the consumer group is called "{name}"; use up to 200 letters, digits, dots, hyphens and '
            "underscores."
        )


def topic_arn(cluster_arn: str, topic: str) -> str:
    """The ARN of a topic: arn:aws:kafka:REGION:ACCOUNT:topic/CLUSTER/UUID/TOPIC.

    Args:
        cluster_arn: The ARN of the cluster.
        topic: The name of the topic.
    """
    return _within(cluster_arn, "topic", topic)


def group_arn(cluster_arn: str, group: str) -> str:
    """The ARN of a consumer group: arn:aws:kafka:REGION:ACCOUNT:group/CLUSTER/UUID/GROUP.

    Args:
        cluster_arn: The ARN of the cluster.
        group: The name of the group.
    """
    return _within(cluster_arn, "group", group)


def cluster_name_of(cluster_arn: str) -> str:
    """The name of a cluster, by which CloudWatch knows it.

    Args:
        cluster_arn: The ARN of the cluster.
    """
    return Fn.select(1, Fn.split("/", cluster_arn)) if has_token(cluster_arn) else cluster_arn.split("/")[1]


def _within(cluster_arn: str, kind: str, name: str) -> str:
    # https://docs.aws.amazon.com/msk/latest/developerguide/kafka-actions.html
    if not has_token(cluster_arn):
        return f"{cluster_arn.replace(':cluster/', f':{kind}/')}/{name}"
    place, path = (Fn.select(part, Fn.split(":cluster/", cluster_arn)) for part in (0, 1))
    return f"{place}:{kind}/{path}/{name}"
