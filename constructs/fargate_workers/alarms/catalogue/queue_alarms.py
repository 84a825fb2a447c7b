"""Alarms of a queue and of its dead letters.

NumberOfMessagesSent is nowhere: it misses messages that a redrive policy moves into a dead-letter queue
(https://github.com/cdklabs/cdk-monitoring-constructs/issues/109).
"""

import json
from collections.abc import Mapping
from functools import partial
from shlex import quote

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.catalogue.worker_alarms import stuck_minutes
from fargate_workers.alarms.command_lines import logs_command


def work_queue_alarms(
    *,
    queue_name: str,
    dead_letter_queue_name: str,
    log_group_name: str,
    acceptable_age_seconds: int,
    max_processing_seconds: int = 900,
    tenants: bool = False,
) -> list[AlarmDefinition]:
    """The alarms of a queue and its dead-letter queue, while a worker drains them.

    Args:
        queue_name: The name of the queue.
        dead_letter_queue_name: The name of its dead-letter queue.
        log_group_name: The name of the worker's log group.
        acceptable_age_seconds: Age of the oldest message, in seconds, that raises an alarm.
        max_processing_seconds: Seconds that a handler may take over one message. Defaults to 900.
        tenants: Whether messages name their tenant, so that what waits because of its own tenant's many messages
            raises no alarm of all. Defaults to False.
    """
    minutes = stuck_minutes(max_processing_seconds)
    return [
        *dead_letter_alarms(dead_letter_queue_name=dead_letter_queue_name),
        AlarmDefinition(
            id="OldestMessageTooOld",
            symptom=f"the oldest message has waited longer than {acceptable_age_seconds} s.",
            meaning="Work arrives faster than it is done, or a message keeps failing at the head of the queue. "
            "Messages received three times or more no longer count here.",
            operation="status {environment} {worker}",
            first_command=queue_attributes_command(queue_name),
            metrics={"age": queue_metric(queue_name, f"ApproximateAgeOfOldestMessage{of_quiet_groups(tenants)}")},
            comparison=">",
            threshold=acceptable_age_seconds,
            evaluation_periods=5,
            datapoints_to_alarm=3,
        ),
        AlarmDefinition(
            id="QueueStuck",
            symptom=f"messages wait, and none was finished in {minutes} minutes.",
            meaning="Tasks run without making progress, or no task runs. New messages wait behind the fault.",
            operation="tail {environment} {worker} --since 1h",
            first_command=logs_command(log_group_name),
            metrics={
                "visible": queue_metric(queue_name, "ApproximateNumberOfMessagesVisible", statistic="Minimum"),
                "deleted": queue_metric(queue_name, "NumberOfMessagesDeleted", statistic="Sum"),
            },
            expression="IF(visible > 0, FILL(deleted, 0) < 1, 0)",
            evaluation_periods=minutes,
        ),
        *([_noisy_tenants(queue_name)] if tenants else []),
    ]


def of_quiet_groups(tenants: bool) -> str:
    """The end of the name of a metric that leaves out the messages of noisy tenants; or nothing.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html

    Args:
        tenants: Whether they are left out.
    """
    return "InQuietGroups" if tenants else ""


def _noisy_tenants(queue_name: str) -> AlarmDefinition:
    return AlarmDefinition(
        id="NoisyTenants",
        symptom="a tenant has taken more than its share for 15 minutes.",
        meaning="Its own messages wait now, and those of the other tenants come first. They are late only if their own "
        "alarm is raised as well.",
        operation="status {environment} {worker}",
        first_command=queue_attributes_command(queue_name),
        metrics={"noisy": queue_metric(queue_name, "ApproximateNumberOfNoisyGroups")},
        evaluation_periods=15,
    )


def dead_letter_alarms(*, dead_letter_queue_name: str) -> list[AlarmDefinition]:
    """One alarm for the first dead letter, one for those which join it: the first stays raised and would hide them.

    A person who looks at dead letters hides them for a while, so the hidden ones count as well.
    """
    of_letters = partial(
        AlarmDefinition,
        operation="dead-letters list {environment} {worker}",
        first_command=queue_attributes_command(dead_letter_queue_name),
        metrics=visible_and_hidden(dead_letter_queue_name),
        comparison=">",
        threshold=0,
    )
    return [
        of_letters(
            id="DeadLetters",
            symptom="there are dead letters.",
            meaning="Messages were given up, by the handler as poison or by the queue after too many tries. "
            "They wait here until someone redrives or deletes them, and expire after the queue's retention.",
            expression="visible + hidden",
        ),
        of_letters(
            id="DeadLettersRising",
            symptom="dead letters are being added to those already there.",
            meaning="Whatever killed the first message is still at work, or something new is.",
            expression="IF(visible + hidden - DIFF(visible + hidden) > 0, DIFF(visible + hidden), 0)",
        ),
    ]


def redrive_command(*, function_name: str, queue: str) -> str:
    """What redrives the dead letters of `queue`, by AWS CLI 2."""
    request = json.dumps({"action": "start", "queue": queue}, separators=(",", ":"))
    return (
        f"aws lambda invoke --cli-binary-format raw-in-base64-out --function-name {function_name} "
        f"--payload {quote(request)} redrive.json && cat redrive.json"
    )


def queue_metric(name: str, metric: str, *, statistic: str = "Maximum") -> Metric:
    """One of the metrics that SQS reports of a queue.

    Args:
        name: The name of the queue.
        metric: The name of the metric.
        statistic: The statistic of each minute. Defaults to "Maximum".
    """
    return Metric(namespace="AWS/SQS", name=metric, dimensions={"QueueName": name}, statistic=statistic)


def visible_and_hidden(queue_name: str) -> Mapping[str, Metric]:
    return {
        "visible": queue_metric(queue_name, "ApproximateNumberOfMessagesVisible"),
        "hidden": queue_metric(queue_name, "ApproximateNumberOfMessagesNotVisible"),
    }


def queue_attributes_command(queue_name: str) -> str:
    """The command that shows the state of a queue."""
    return f"aws sqs get-queue-attributes --attribute-names All --queue-url {queue_url(queue_name)}"


def queue_url(queue_name: str) -> str:
    return f"$(aws sqs get-queue-url --queue-name {queue_name} --query QueueUrl --output text)"
