"""Alarms of events on their way to a target."""

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.catalogue.queue_alarms import queue_url, visible_and_hidden


def event_target_alarms(*, rule_name: str, dead_letter_queue_name: str | None = None) -> list[AlarmDefinition]:
    """The alarms of a rule: an event that could not be delivered raises one.

    `dead_letter_queue_name` is left out when that queue has its alarm already.
    """
    alarms = [
        AlarmDefinition(
            id="InvocationsFailed",
            symptom="EventBridge could not invoke the target.",
            meaning="The target refused for good: a missing permission, a deleted target or a full quota. "
            "The events are in the target's dead-letter queue, unless even that refused them.",
            first_command=f"aws events list-targets-by-rule --rule {rule_name}",
            metrics={
                "failed": rule_metric(rule_name, "FailedInvocations"),
                "kept": rule_metric(rule_name, "InvocationsSentToDlq"),
                "lost": rule_metric(rule_name, "InvocationsFailedToBeSentToDlq"),
            },
            expression="MAX([failed, kept, lost])",
        )
    ]
    if dead_letter_queue_name is not None:
        alarms.append(undelivered_events_alarm(dead_letter_queue_name=dead_letter_queue_name))
    return alarms


def undelivered_events_alarm(*, dead_letter_queue_name: str) -> AlarmDefinition:
    """What reached nobody after every retry: an event its target, an alert its reader."""
    return AlarmDefinition(
        id="UndeliveredEvents",
        symptom="events or alerts that could not be delivered wait in the dead-letter queue.",
        meaning="Each is work nobody has begun, or an alert nobody has read. "
        "The message attributes RULE_ARN or SCHEDULE_ARN, TARGET_ARN and ERROR_MESSAGE say which, and why.",
        first_command="aws sqs receive-message --message-attribute-names All --visibility-timeout 0 "
        f"--queue-url {queue_url(dead_letter_queue_name)}",
        metrics=visible_and_hidden(dead_letter_queue_name),
        expression="visible + hidden",
        comparison=">",
        threshold=0,
    )


def topic_alarms(*, topic_name: str, topic_arn: str) -> list[AlarmDefinition]:
    """The alarms of what a topic delivers, to all its subscriptions.

    Args:
        topic_name: The name of the topic.
        topic_arn: Its ARN.
    """
    return [
        AlarmDefinition(
            id="NotificationsFailed",
            symptom="SNS could not deliver what a topic published.",
            meaning="A queue, its policy or its key no longer lets SNS in, or another subscriber does not answer. "
            "What was meant for a worker is in its dead-letter queue.",
            operation="dead-letters list {environment} {worker}",
            first_command=f"aws sns list-subscriptions-by-topic --topic-arn {topic_arn}",
            metrics={
                "failed": topic_metric(topic_name, "NumberOfNotificationsFailed"),
                "kept": topic_metric(topic_name, "NumberOfNotificationsRedrivenToDlq"),
            },
            expression="MAX([failed, kept])",
        ),
        AlarmDefinition(
            id="NotificationsLost",
            symptom="SNS lost what it could not deliver.",
            meaning="Even the dead-letter queue of the subscription refused the message: nobody has it.",
            operation="dead-letters list {environment} {worker}",
            first_command=f"aws sns list-subscriptions-by-topic --topic-arn {topic_arn}",
            metrics={"lost": topic_metric(topic_name, "NumberOfNotificationsFailedToRedriveToDlq")},
        ),
    ]


def topic_metric(name: str, metric: str) -> Metric:
    return Metric(namespace="AWS/SNS", name=metric, dimensions={"TopicName": name}, statistic="Sum")


def rule_metric(name: str, metric: str) -> Metric:
    return Metric(namespace="AWS/Events", name=metric, dimensions={"RuleName": name}, statistic="Sum")
