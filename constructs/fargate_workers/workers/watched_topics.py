"""The alarms about what a topic could not deliver, once in a stack: SNS counts by topic and not by subscriber."""

from weakref import WeakKeyDictionary

from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sns as sns
from constructs import Construct

from fargate_workers.alarms import Alerts, add_alarm
from fargate_workers.alarms.catalogue import topic_alarms
from fargate_workers.cloudformation import stack_of
from fargate_workers.sources.sqs import is_of_another_account

_PLACE = "Deliveries"
_watched: WeakKeyDictionary[Stack, set[str]] = WeakKeyDictionary()


def watch_deliveries(
    subscriber: Construct,
    topic: sns.ITopic | sns.Topic,
    *,
    subject: str,
    alerts: Alerts | None,
    environment: str | None,
) -> dict[str, cloudwatch.CfnAlarm]:
    """The alarms of a topic, by their names; none if the stack has them already, or another account has the metrics.

    Args:
        subscriber: The worker that subscribes to the topic.
        topic: The topic.
        subject: The worker's qualified name.
        alerts: The alerts that receive the alarms.
        environment: The environment of the worker's cluster. None is the stage's.
    """
    watched = _watched.setdefault(stack_of(subscriber), set())
    if is_of_another_account(subscriber, topic) or topic.topic_arn in watched:
        return {}
    watched.add(topic.topic_arn)
    before = sum(child.node.id.startswith(_PLACE) for child in subscriber.node.children)
    number = "" if not before else str(before + 1)
    place = Construct(subscriber, f"{_PLACE}{number}")
    return {
        definition.id + number: add_alarm(place, definition, subject=subject, alerts=alerts, environment=environment)
        for definition in topic_alarms(topic_name=topic.topic_name, topic_arn=topic.topic_arn)
    }
