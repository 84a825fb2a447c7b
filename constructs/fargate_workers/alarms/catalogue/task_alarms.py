"""Alarms of a scheduled task: a run that failed, and a run that did not come."""

import math
from datetime import timedelta

from fargate_workers.alarms.alarm_definition import AlarmDefinition
from fargate_workers.alarms.catalogue.delivery_alarms import rule_metric
from fargate_workers.alarms.command_lines import logs_command


def scheduled_task_alarms(
    *,
    succeeded_rule_name: str,
    failed_rule_name: str,
    log_group_name: str,
    expected_every: timedelta,
    run_now: str | None = None,
) -> list[AlarmDefinition]:
    """The alarms of a schedule. CloudWatch looks back a week at most: a rarer schedule gets no missed-run alarm.

    run_now: The command that runs the task at once. Default: none is named.
    """
    failed = AlarmDefinition(
        id="RunFailed",
        symptom="a run failed.",
        meaning="The task ended with an exit code other than 0, or was never started. "
        "The next run comes as planned; what this one did not do stays undone.",
        first_command=logs_command(log_group_name),
        then=run_now,
        metrics={"failed": rule_metric(failed_rule_name, "Invocations")},
    )
    missed = _run_missed(succeeded_rule_name, log_group_name, expected_every, run_now)
    return [failed] if missed is None else [failed, missed]


def _run_missed(
    succeeded_rule_name: str, log_group_name: str, expected_every: timedelta, run_now: str | None
) -> AlarmDefinition | None:
    """No success for one period and a half (six hours more at most), counted in steps CloudWatch can look back over."""
    window = expected_every + min(expected_every / 2, timedelta(hours=6))
    if window > timedelta(days=7):
        return None
    # EventBridge reports no zeros: every step without a success is a missing one, hence breaching.
    step = timedelta(minutes=5) if window <= timedelta(days=1) else timedelta(hours=1)
    return AlarmDefinition(
        id="RunMissed",
        symptom=f"no run has succeeded for {_in_words(window)}.",
        meaning=f"One is expected every {_in_words(expected_every)}. The schedule is off, or runs fail or hang.",
        first_command=logs_command(log_group_name),
        then=run_now,
        metrics={"succeeded": rule_metric(succeeded_rule_name, "Invocations")},
        comparison="<",
        period=int(step.total_seconds()),
        evaluation_periods=math.ceil(window / step),
        missing_data="breaching",
    )


def _in_words(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    parts = ((days, "d"), (rest // 60, "h"), (rest % 60, "min"))
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount)
