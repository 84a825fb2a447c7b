"""The runbooks: one page per alarm, made from the alarm catalogue and what we know about each trouble.

`python -m fargate_workers.runbooks` writes them to docs/runbooks; a test says when they are stale.
"""

import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from fargate_workers import alarm_catalogue as catalogue
from fargate_workers.alarm_definition import RUNBOOKS, AlarmDefinition
from fargate_workers.runbook_texts import TEXTS, RunbookText

REFRESH = "python -m fargate_workers.runbooks"


def definitions() -> Mapping[str, AlarmDefinition]:
    """Every alarm of the catalogue once, with <placeholders> where a deployed alarm has names."""
    every = [
        *catalogue.queue_worker_alarms(
            queue_name="<queue>",
            dead_letter_queue_name="<dead-letter-queue>",
            cluster_name="<cluster>",
            service_name="<service>",
            worker_name="<worker>",
            min_tasks=1,
            max_tasks=10,
            acceptable_age_seconds=900,
        ),
        catalogue.handler_failing_alarm(worker_name="<worker>", qualified_name="<stack>/<worker>"),
        *catalogue.scheduled_task_alarms(
            succeeded_rule_name="<rule>",
            failed_rule_name="<rule>",
            worker_name="<worker>",
            expected_every=timedelta(hours=1),
        ),
        *catalogue.event_target_alarms(rule_name="<rule>", dead_letter_queue_name="<dead-letter-queue>"),
        *catalogue.redis_alarms(cache_cluster_ids=["<cache>-001", "<cache>-002"], vcpus=2, connection_budget=65_000),
        *catalogue.scaling_planner_alarms(function_name="<function>", log_group_name="<log-group>"),
        *catalogue.redrive_alarms(function_name="<function>", log_group_name="<log-group>"),
    ]
    return {definition.id: definition for definition in every}


def pages() -> Mapping[str, str]:
    """File name -> content: a page per alarm, and an index of all."""
    found = definitions()
    index = [
        "# Runbooks",
        "",
        "What to do when an alarm is raised. Each alarm's text names its page.",
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
        f"**It means:** {alarm.meaning}",
        "## First",
        f"```sh\n{alarm.first_command}\n```",
        text.reading,
        "## Likely causes",
        "\n".join(f"* {cause}" for cause in text.causes),
        "## What to do",
        "\n".join(f"{number}. {step}" for number, step in enumerate(text.steps, start=1)),
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


_GENERATED = f"<!-- Generated from the alarm catalogue; edit fargate_workers/runbook_texts.py, then run: {REFRESH} -->"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for stale in folder.glob("*.md"):
        if stale.name not in wanted:
            stale.unlink()
    for name, content in wanted.items():
        (folder / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else RUNBOOKS))
