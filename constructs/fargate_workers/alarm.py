"""The one place that turns an alarm's definition into a CloudWatch alarm."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from fargate_workers._metric_queries import dimensions, metric_queries
from fargate_workers.alarm_definition import RUNBOOKS, AlarmDefinition, Comparison, Metric

if TYPE_CHECKING:
    from fargate_workers.alerts import Alerts

__all__ = ["AlarmDefinition", "Metric", "add_alarm"]

_OPERATORS: Mapping[Comparison, str] = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}


def add_alarm(
    scope: Construct, definition: AlarmDefinition, *, subject: str, alerts: "Alerts | None"
) -> cloudwatch.CfnAlarm:
    """Place `definition` under `scope`; it tells `alerts` when it is raised and when it is over.

    `subject` is what the reader of the alert knows the thing by, such as the worker's name.
    Without `alerts` the alarm shows in the console and tells nobody.
    """
    actions = None if alerts is None else [alerts.topic_arn]
    runbooks = RUNBOOKS if alerts is None else alerts.runbooks
    only = queries = None
    if definition.expression is None:
        only = next(iter(definition.metrics.values()))
    else:
        queries = metric_queries(
            definition.metrics, definition.expression, period=definition.period, label=definition.symptom
        )
    return cloudwatch.CfnAlarm(
        scope,
        definition.id,
        alarm_description=definition.describe(subject, runbooks=runbooks),
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
    )
