"""A message through the topics of alerts, marked as a test: it takes the way of every alert, and raises none."""

from collections.abc import Mapping, Sequence

from fargate_workers_toolkit.operations.errors import answered
from fargate_workers_toolkit.operations.places import Aws

#: An attribute by which a reader's filter or program knows the message.
ATTRIBUTE = "test"


def send_canary(aws: Aws, topics: Sequence[str], *, by: str) -> Mapping[str, str]:
    """Publish a test to topics.

    Args:
        aws: Their AWS.
        topics: The ARNs of the topics.
        by: Who tests them.

    Returns:
        The ids of the messages, by topic.

    Raises:
        OperationsError: AWS refuses.
    """
    environment = aws.place.environment
    with answered(sign_in=aws.place.sign_in):
        return {
            topic: aws.client("sns").publish(
                TopicArn=topic,
                Subject=f"A test of the alerts of {environment}"[:100],
                Message=f"A test of the alerts of {environment} by {by}: nothing is wrong, and nothing is to be done.",
                MessageAttributes={ATTRIBUTE: {"DataType": "String", "StringValue": "true"}},
            )["MessageId"]
            for topic in topics
        }
