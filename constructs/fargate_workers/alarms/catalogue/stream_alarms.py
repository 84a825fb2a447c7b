"""Alarms of a Redis stream or a Redis list."""

import math
from functools import partial

from fargate_workers.alarms.alarm_definition import AlarmDefinition, Metric
from fargate_workers.alarms.catalogue.worker_alarms import NONE_ENDED, ended_metrics, stuck_minutes, worker_metric
from fargate_workers.alarms.command_lines import logs_command
from fargate_workers_observer.metric_names import OBSERVER_NAMESPACE

# Of the length that producers keep to: the rest is the time in which a person can act.
NEARLY_FULL = 0.8


def observed_metric(source: str, name: str, *, statistic: str = "Maximum") -> Metric:
    """A metric of a stream or a list, which the observer publishes each minute.

    Args:
        source: The name that the source goes by in metrics.
        name: The name of the metric, such as "Waiting".
        statistic: CloudWatch's name of it. Defaults to "Maximum".
    """
    return Metric(namespace=OBSERVER_NAMESPACE, name=name, dimensions={"Source": source}, statistic=statistic)


def cache_command(replication_group_id: str) -> str:
    """The command that shows the cache in which streams and lists are kept."""
    return f"aws elasticache describe-replication-groups --replication-group-id {replication_group_id}"


def redis_source_alarms(
    *,
    source: str,
    replication_group_id: str,
    qualified_name: str,
    log_group_name: str,
    acceptable_age_seconds: int,
    max_processing_seconds: int = 900,
    max_length: int | None = None,
    has_ages: bool = True,
) -> list[AlarmDefinition]:
    """The alarms of a stream or a list while a worker drains it.

    Args:
        source: The name that the source goes by in metrics.
        replication_group_id: The id of the cache.
        qualified_name: The worker's qualified name.
        log_group_name: The name of the worker's log group.
        acceptable_age_seconds: Age of the oldest entry, in seconds, that raises an alarm.
        max_processing_seconds: Seconds that a handler may take over one entry. Defaults to 900.
        max_length: Entries that producers let it hold. Defaults to no bound.
        has_ages: Whether entries have the time at which they were added, as those of a stream. Defaults to True.
    """
    minutes = stuck_minutes(max_processing_seconds)
    alarms: list[AlarmDefinition] = []
    if max_length is not None:
        alarms.append(
            AlarmDefinition(
                id="StreamNearlyFull",
                symptom=f"80 % of the {max_length} entries that the stream may hold are in it.",
                meaning="At 90 % producers are refused. Entries arrive faster than they are handled.",
                operation="status {environment} {worker}",
                first_command=cache_command(replication_group_id),
                metrics={"length": observed_metric(source, "Length")},
                threshold=math.floor(NEARLY_FULL * max_length),
                evaluation_periods=3,
            )
        )
        alarms.append(
            AlarmDefinition(
                id="EntriesLost",
                symptom="entries were deleted from the stream before they had ended.",
                meaning="Something trims the stream, or a group was slower than entries stay: that work is not done.",
                operation="tail {environment} {worker} --since 1h",
                first_command=logs_command(log_group_name),
                metrics={"trimmed": worker_metric(qualified_name, "EntriesTrimmed")},
            )
        )
    if has_ages:
        alarms.append(
            AlarmDefinition(
                id="OldestEntryTooOld",
                symptom=f"the oldest entry has waited longer than {acceptable_age_seconds} s.",
                meaning="Entries arrive faster than they are handled, or one keeps failing.",
                operation="status {environment} {worker}",
                first_command=logs_command(log_group_name),
                metrics={"age": observed_metric(source, "OldestAge")},
                comparison=">",
                threshold=acceptable_age_seconds,
                evaluation_periods=5,
                datapoints_to_alarm=3,
            )
        )
    of_letters = partial(
        AlarmDefinition,
        operation="dead-letters list {environment} {worker}",
        first_command=logs_command(log_group_name),
        metrics={"letters": observed_metric(source, "DeadLetters")},
        comparison=">",
        threshold=0,
    )
    return [
        *alarms,
        AlarmDefinition(
            id="EntriesStuck",
            symptom=f"entries wait, and none was finished in {minutes} minutes.",
            meaning="Tasks run without making progress, or no task runs. New entries wait behind the fault.",
            operation="tail {environment} {worker} --since 1h",
            first_command=logs_command(log_group_name),
            metrics={
                "waiting": observed_metric(source, "Waiting", statistic="Minimum"),
                **ended_metrics(qualified_name),
            },
            expression=f"IF(waiting > 0, {NONE_ENDED}, 0)",
            evaluation_periods=minutes,
        ),
        of_letters(
            id="DeadEntries",
            symptom="there are dead letters in Redis.",
            meaning="Entries were given up, as poison or after too many failures. They stay in memory until someone "
            "sends them back or deletes them.",
        ),
        of_letters(
            id="DeadEntriesRising",
            symptom="dead letters in Redis were added in the last minute.",
            meaning="New ones join those which are known, perhaps for another reason.",
            expression="DIFF(letters)",
        ),
    ]
