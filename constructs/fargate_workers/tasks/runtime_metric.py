"""A metric that the runtime writes, for alarms and dashboards of a stack's own."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from fargate_workers.durations import seconds
from fargate_workers_planner.metric_names import RUNTIME_NAMESPACE


def runtime_metric(
    qualified_name: str, name: str, *, statistic: str = "Sum", period: Duration | None = None
) -> cloudwatch.Metric:
    """One of the metrics that the runtime writes for a worker or a function.

    Args:
        qualified_name: The qualified name of the worker or function.
        name: Such as "MessagesHandled".
        statistic: CloudWatch's name of it. Defaults to "Sum".
        period: Defaults to a minute.
    """
    return cloudwatch.Metric(
        namespace=RUNTIME_NAMESPACE,
        metric_name=name,
        dimensions_map={"Worker": qualified_name},
        statistic=statistic,
        period=seconds(60) if period is None else period,
    )
