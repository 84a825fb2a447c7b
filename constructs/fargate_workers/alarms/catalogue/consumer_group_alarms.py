"""Alarms of a consumer group on a Kafka topic.

MSK is silent about a group's lag while the group rebalances, and before its first commit: silence raises nothing.
https://docs.aws.amazon.com/msk/latest/developerguide/consumer-lag.html
"""

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.catalogue.worker_alarms import NONE_ENDED, ended_metrics, stuck_minutes, worker_metric
from fargate_workers.alarms.command_lines import logs_command

KAFKA_NAMESPACE = "AWS/Kafka"
# Minutes of an hour. A deployment of ten tasks in batches takes two or three of them, a scaling one.
MOST_REBALANCES = 6


def group_metric(cluster_name: str, topic: str, group: str, name: str, *, statistic: str = "Maximum") -> Metric:
    """A metric that MSK reports of a consumer group, each minute, free of charge.

    Args:
        cluster_name: The name of the MSK cluster.
        topic: The name of the topic.
        group: The name of the consumer group.
        name: The name of the metric, such as "SumOffsetLag".
        statistic: CloudWatch's name of it. Defaults to "Maximum".
    """
    dimensions = {"Cluster Name": cluster_name, "Consumer Group": group, "Topic": topic}
    return Metric(namespace=KAFKA_NAMESPACE, name=name, dimensions=dimensions, statistic=statistic, intermittent=True)


def describe_topic_command(cluster_arn: str, topic: str) -> str:
    """The command that shows a topic: its partitions, its replicas and its settings."""
    return f"aws kafka describe-topic --cluster-arn {cluster_arn} --topic-name {topic}"


def consumer_group_alarms(
    *,
    cluster_name: str,
    cluster_arn: str,
    topic: str,
    group: str,
    dead_letter_topic: str,
    qualified_name: str,
    log_group_name: str,
    acceptable_age_seconds: int,
    max_processing_seconds: int = 900,
) -> list[AlarmDefinition]:
    """The alarms of a topic while a worker drains it by a consumer group.

    Args:
        cluster_name: The name of the MSK cluster.
        cluster_arn: Its ARN.
        topic: The name of the topic.
        group: The name of the consumer group.
        dead_letter_topic: The name of its dead-letter topic.
        qualified_name: The worker's qualified name.
        log_group_name: The name of the worker's log group.
        acceptable_age_seconds: Age of the oldest record that is not committed, in seconds, that raises an alarm.
        max_processing_seconds: Seconds that a handler may take over one record. Defaults to 900.
    """
    minutes = stuck_minutes(max_processing_seconds)
    return [
        AlarmDefinition(
            id="LagTooOld",
            symptom=f"the oldest record that is not committed is older than {acceptable_age_seconds} s.",
            meaning="Records arrive faster than they are handled, or one keeps failing and holds its key up.",
            operation="status {environment} {worker}",
            first_command=logs_command(log_group_name),
            metrics={"age": group_metric(cluster_name, topic, group, "EstimatedMaxTimeLag")},
            comparison=">",
            threshold=acceptable_age_seconds,
            evaluation_periods=5,
            datapoints_to_alarm=3,
            missing_data="ignore",
        ),
        AlarmDefinition(
            id="GroupStuck",
            symptom=f"records wait, and none was finished in {minutes} minutes.",
            meaning="Tasks run without making progress, or no task runs: the group commits nothing.",
            operation="tail {environment} {worker} --since 1h",
            first_command=logs_command(log_group_name),
            metrics={
                "lag": group_metric(cluster_name, topic, group, "SumOffsetLag", statistic="Minimum"),
                **ended_metrics(qualified_name),
            },
            # While the group rebalances, the lag is what it last was.
            expression=f"IF(FILL(lag, REPEAT) > 0, {NONE_ENDED}, 0)",
            evaluation_periods=minutes,
            missing_data="ignore",
        ),
        AlarmDefinition(
            id="DeadLetterTopicRising",
            symptom=f"records were sent to the dead-letter topic {dead_letter_topic}.",
            meaning="They were given up, as poison or after too many failures. They wait there until someone sends "
            "them back, and expire after the topic's retention.",
            operation="dead-letters list {environment} {worker}",
            first_command=logs_command(log_group_name),
            # Kafka has no depth of a topic that nobody reads, so each arrival counts.
            metrics={"sent": worker_metric(qualified_name, "MessagesPoisoned")},
        ),
        AlarmDefinition(
            id="RebalancesOften",
            symptom=f"the group rebalanced in more than {MOST_REBALANCES} of the last 60 minutes.",
            meaning="Each rebalance pauses partitions and repeats some work. Tasks stop and start, or miss polls.",
            operation="status {environment} {worker}",
            first_command=describe_topic_command(cluster_arn, topic),
            # Members count partitions that they are given, so that one rebalance may count several times: a minute
            # with any is one.
            metrics={"rebalances": worker_metric(qualified_name, "Rebalances")},
            evaluation_periods=60,
            datapoints_to_alarm=MOST_REBALANCES + 1,
        ),
    ]
