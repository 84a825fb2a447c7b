"""The one place that turns an alarm's definition into a CloudWatch alarm."""

from collections.abc import Mapping
from typing import Protocol

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from fargate_workers.alarms.alarm_definition import LONGEST_NAME, RUNBOOKS, AlarmDefinition, Comparison
from fargate_workers.alarms.metric_queries import dimensions, metric_queries
from fargate_workers.alarms.mutes import MuteRules
from fargate_workers.cloudformation import environment_of, ownership_tags

_OPERATORS: Mapping[Comparison, str] = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}


class AlarmActions(Protocol):
    """What an alarm needs of its alerts; `Alerts` is one."""

    @property
    def topic_arn(self) -> str:
        """The topic, or anything else that CloudWatch takes as an action."""
        ...

    @property
    def runbooks(self) -> str:
        """The folder or address of the runbooks, to which the alarm's text refers."""
        ...

    @property
    def mutes(self) -> MuteRules | None:
        """The rules by which alarms are muted at times; None where none ever is."""
        ...


def add_alarm(
    scope: Construct,
    definition: AlarmDefinition,
    *,
    subject: str,
    alerts: AlarmActions | None,
    environment: str | None = None,
) -> cloudwatch.CfnAlarm:
    """Place `definition` under `scope`; it notifies `alerts` when it is raised and when it is over.

    `subject` is what the reader of the alert knows the thing by, such as the worker's qualified name, which begins with
    the stack's and thereby names the environment.
    Without `alerts` the alarm shows in the console and notifies nobody. `environment` is that of the subject's cluster;
    without one it is the stack's own. Tags name both, and the definition.
    """
    actions = None if alerts is None else [alerts.topic_arn]
    environment = environment or environment_of(scope)
    only = queries = None
    if definition.expression is None:
        only = next(iter(definition.metrics.values()))
    else:
        queries = metric_queries(
            definition.metrics, definition.expression, period=definition.period, label=definition.symptom
        )
    alarm = cloudwatch.CfnAlarm(
        scope,
        definition.id,
        alarm_description=describe(definition, subject=subject, environment=environment, alerts=alerts),
        namespace=None if only is None else only.namespace,
        metric_name=None if only is None else only.name,
        dimensions=None if only is None else dimensions(only),
        statistic=None if only is None else only.statistic,
        period=None if only is None else definition.period,
        metrics=queries,
        comparison_operator=_OPERATORS[definition.comparison],
        threshold=definition.threshold,
        evaluation_periods=definition.evaluation_periods,
        datapoints_to_alarm=definition.datapoints_to_alarm,
        treat_missing_data=definition.missing_data,
        alarm_actions=actions,
        ok_actions=actions,
        tags=ownership_tags(environment=environment, name=subject, role=definition.id),
    )
    if alerts is not None and alerts.mutes is not None:
        alerts.mutes.cover(alarm, definition, subject=subject)
    return alarm


def describe(definition: AlarmDefinition, *, subject: str, environment: str, alerts: AlarmActions | None) -> str:
    """The text of the alarm that `add_alarm` makes of the same four."""
    # What CloudFormation names has the stack's name, the constructs' ids and what it makes up.
    longest_name = min(255, max(LONGEST_NAME, len(subject) + 50))
    return definition.describe(
        subject,
        environment=environment,
        runbooks=RUNBOOKS if alerts is None else alerts.runbooks,
        longest_name=longest_name,
    )
