"""The runbooks: one page per alarm, made from the alarm catalogue and what we know about each trouble.

`python -m tools.write_runbooks` writes them to docs/runbooks; a test fails while they are stale.
"""

from collections.abc import Mapping
from datetime import timedelta

from fargate_workers.alarms.alarm_definition import AlarmDefinition
from fargate_workers.alarms.catalogue import (
    consumer_group_alarms,
    database_alarms,
    event_target_alarms,
    handler_failing_alarm,
    observer_alarms,
    outbox_alarms,
    queue_attributes_command,
    queue_function_alarms,
    queue_metric,
    redis_alarms,
    redis_source_alarms,
    redrive_alarms,
    scaling_planner_alarms,
    scheduled_task_alarms,
    topic_alarms,
    work_queue_alarms,
    worker_alarms,
)
from fargate_workers.alarms.command_lines import step, wrapped
from fargate_workers.alarms.runbook_texts import TEXTS, RunbookText

REFRESH = "python -m tools.write_runbooks"


def definitions() -> Mapping[str, AlarmDefinition]:
    """Every alarm of the catalogue once, with <placeholders> where a deployed alarm has names."""
    every = [
        *work_queue_alarms(
            queue_name="<queue>",
            dead_letter_queue_name="<dead-letter-queue>",
            log_group_name="<log-group>",
            acceptable_age_seconds=900,
            tenants=True,
        ),
        *worker_alarms(
            backlog=queue_metric("<queue>", "ApproximateNumberOfMessagesVisible"),
            look=queue_attributes_command("<queue>"),
            cluster_name="<cluster>",
            service_name="<service>",
            qualified_name="<worker>",
            log_group_name="<log-group>",
            min_tasks=1,
            max_tasks=10,
            planned=True,
        ),
        *outbox_alarms(qualified_name="<worker>", log_group_name="<log-group>"),
        handler_failing_alarm(qualified_name="<worker>", log_group_name="<log-group>"),
        *queue_function_alarms(
            backlog=queue_metric("<queue>", "ApproximateNumberOfMessagesVisible"),
            function_name="<function>",
            qualified_name="<worker>",
            log_group_name="<log-group>",
            max_concurrency=10,
        ),
        *scheduled_task_alarms(
            succeeded_rule_name="<rule>",
            failed_rule_name="<rule>",
            log_group_name="<log-group>",
            expected_every=timedelta(hours=1),
        ),
        *event_target_alarms(rule_name="<rule>", dead_letter_queue_name="<dead-letter-queue>"),
        *topic_alarms(topic_name="<topic>", topic_arn="<topic-arn>"),
        *(
            alarm
            for evicts in (True, False)
            for alarm in redis_alarms(
                cache_cluster_ids=["<cache>-001", "<cache>-002"],
                vcpus=2,
                connection_budget=65_000,
                evicts_by_design=evicts,
            )
        ),
        *consumer_group_alarms(
            cluster_name="<kafka-cluster>",
            cluster_arn="<kafka-cluster-arn>",
            topic="<topic>",
            group="<group>",
            dead_letter_topic="<dead-letter-topic>",
            qualified_name="<worker>",
            log_group_name="<log-group>",
            acceptable_age_seconds=900,
        ),
        *redis_source_alarms(
            source="<source>",
            replication_group_id="<cache>",
            qualified_name="<worker>",
            log_group_name="<log-group>",
            acceptable_age_seconds=900,
            max_length=100_000,
        ),
        *observer_alarms(function_name="<function>", log_group_name="<log-group>"),
        *database_alarms(
            cluster_identifier="<database>",
            log_group_name="<log-group>",
            max_connections=823,
            memory_bytes=8 * 1024**3,
        ),
        *scaling_planner_alarms(function_name="<function>", log_group_name="<log-group>"),
        *redrive_alarms(function_name="<function>", log_group_name="<log-group>"),
    ]
    return {definition.id: definition for definition in every}


def pages() -> Mapping[str, str]:
    """File name -> content: a page per alarm, and an index of all."""
    found = definitions()
    index = [
        "# Runbooks",
        "",
        "What to do when an alarm is raised. Each alarm's text names its page and has the first command, filled in.",
        "Commands are of `fargate-workers`, as [Operations](../operations.md) has them, and of AWS CLI 2.",
        "",
        "| Alarm | What you see |",
        "|---|---|",
        *(f"| [{name}]({alarm.runbook}) | {_sentence(alarm.symptom)} |" for name, alarm in sorted(found.items())),
        "",
        _GENERATED,
    ]
    return {
        "README.md": "\n".join(index) + "\n",
        **{alarm.runbook: page(alarm, TEXTS[name]) for name, alarm in found.items()},
    }


def page(alarm: AlarmDefinition, text: RunbookText) -> str:
    parts = [
        f"# {alarm.id}",
        f"**You see:** {alarm.symptom}",
        f"**It means:** {alarm.explanation}",
        "## First",
        f"```sh\n{alarm.begin_with(environment='<environment>', worker='<worker>')}\n```",
        "Or, by AWS CLI 2:",
        f"```sh\n{wrapped(alarm.first_command)}\n```",
        text.reading,
        "## Likely causes",
        "\n".join(f"* {cause}" for cause in text.causes),
        "## What to do",
        "\n".join(f"{number}. {step(each, indent='    ')}" for number, each in enumerate(text.steps, start=1)),
        "## It is over when",
        text.over,
        "## How the alarm decides",
        _decision(alarm),
        _GENERATED,
    ]
    return "\n\n".join(parts) + "\n"


def _decision(alarm: AlarmDefinition) -> str:
    metrics = ", ".join(f"`{key}` = {m.statistic} of {m.namespace} {m.name}" for key, m in alarm.metrics.items())
    value = next(iter(alarm.metrics)) if alarm.expression is None else alarm.expression
    needed = alarm.datapoints_to_alarm or alarm.evaluation_periods
    silence = {"notBreaching": "means all is well", "breaching": "means trouble"}.get(alarm.missing_data, "is ignored")
    return (
        f"{metrics}. It is raised when `{value} {alarm.comparison} {alarm.threshold:g}` "
        f"in {needed} of {alarm.evaluation_periods} periods of {alarm.period} s; silence {silence}."
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_GENERATED = (
    f"<!-- Generated from the alarm catalogue; edit fargate_workers/alarms/runbook_texts.py, then run: {REFRESH} -->"
)
