"""The numbers that the simulator knows for metrics in a template. Everything else is refused, never guessed."""

from collections.abc import Mapping, Sequence

from fargate_workers_planner import metric_names
from fargate_workers_toolkit.aws_behaviour import Expression, MetricMathError
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.model import Combination, Metric, Query, Source

QUEUE_METRICS: Mapping[str, Source] = {
    "ApproximateNumberOfMessagesVisible": "visible",
    "ApproximateNumberOfMessagesNotVisible": "in_flight",
    "ApproximateNumberOfMessagesDelayed": "delayed",
    "ApproximateAgeOfOldestMessage": "oldest_age",
    # A load has no tenants, so none of them is noisy.
    "ApproximateNumberOfMessagesVisibleInQuietGroups": "visible",
    "ApproximateNumberOfMessagesNotVisibleInQuietGroups": "in_flight",
    "ApproximateAgeOfOldestMessageInQuietGroups": "oldest_age",
}
QUEUE_COUNTS: Mapping[str, Source] = {
    "NumberOfMessagesSent": "sent",
    "NumberOfMessagesReceived": "received",
    "NumberOfMessagesDeleted": "deleted",
}
GROUP_METRICS: Mapping[str, Source] = {"SumOffsetLag": "lag", "EstimatedMaxTimeLag": "oldest_age"}
OBSERVED_METRICS: Mapping[str, Source] = {
    "Waiting": "visible",
    "InFlight": "in_flight",
    "OldestAge": "oldest_age",
}
CONTAINER_INSIGHTS: Mapping[str, Source] = {
    "RunningTaskCount": "running",
    "DesiredTaskCount": "desired",
    "PendingTaskCount": "pending",
}
PLANNER_METRICS: Mapping[str, Source] = {
    "DesiredTasks": "planned_tasks",
    "CapacityGap": "capacity_gap",
    "CapacityGapIn": "capacity_gap_in",
    "BacklogSeconds": "backlog_seconds",
}
COMBINATIONS: Mapping[str, Combination] = {"Maximum": "max", "Minimum": "min", "Average": "mean", "Sum": "sum"}


def metric_of(
    *, namespace: str, name: str, statistic: str, period: float, dimensions: Sequence[str], planned: bool, where: str
) -> Metric:
    """A metric as the simulator knows it.

    Args:
        namespace: Its namespace.
        name: Its name.
        statistic: The statistic, as CloudWatch names it.
        period: In seconds.
        dimensions: The names of its dimensions.
        planned: Whether the policy is known to follow this project's planner.
        where: The place in the template, for errors.

    Raises:
        SimulationError: No template has the metric's values.
    """
    if period < 60 or period % 60:
        raise SimulationError(f"{where} has a period of {period:g} s; only whole minutes can be simulated.")
    minutes = int(period // 60)
    combination = COMBINATIONS.get(statistic)
    known: tuple[Source, Combination] | None = None
    match namespace, name:
        case "AWS/SQS", _ if name in QUEUE_METRICS and combination is not None:
            # One value a minute, so that of one minute the sum is that value, and of several their sum.
            known = QUEUE_METRICS[name], combination
        case "AWS/SQS", _ if name in QUEUE_COUNTS and statistic == "Sum":
            known = QUEUE_COUNTS[name], "sum"
        case "AWS/Kafka", _ if name in GROUP_METRICS and "Consumer Group" in dimensions and combination is not None:
            known = GROUP_METRICS[name], combination
        case metric_names.SOURCES_NAMESPACE, _ if name in OBSERVED_METRICS and combination is not None:
            known = OBSERVED_METRICS[name], combination
        case "AWS/ECS", "CPUUtilization" if statistic == "SampleCount" and "ServiceName" in dimensions:
            # Every running task reports once a minute.
            known = "running", "sum"
        case "AWS/ECS", "CPUUtilization" if combination not in (None, "sum") and "ServiceName" in dimensions:
            known = "cpu", combination
        case "ECS/ContainerInsights", _ if name in CONTAINER_INSIGHTS and combination not in (None, "sum"):
            known = CONTAINER_INSIGHTS[name], combination
        case metric_names.PLANNER_NAMESPACE, _ if name in PLANNER_METRICS and planned and combination is not None:
            known = PLANNER_METRICS[name], combination
        case _:
            pass
    if known is None:
        raise SimulationError(
            f"{where} follows {statistic} of {namespace} {name}, whose values the template does not tell; "
            "scale on SQS's or ECS's own metrics, or on this project's planner."
        )
    source, combination = known
    return Metric(source=source, combination=combination, minutes=minutes)


def query_of(metrics: Mapping[str, Metric], expressions: Mapping[str, str], *, returned: str, where: str) -> Query:
    """Metrics and the expressions over them, ordered.

    Args:
        metrics: The metrics by name.
        expressions: The expressions by name.
        returned: The name of the one that counts.
        where: The place in the template, for errors.

    Raises:
        SimulationError: The math is not supported.
    """
    if not expressions:
        return Query(metrics={returned: metrics[returned]})
    if len({metric.minutes for metric in metrics.values()}) > 1:
        raise SimulationError(f"{where} mixes metrics of several periods, which CloudWatch refuses too.")
    ordered: list[tuple[str, str]] = []
    known = list(metrics)
    waiting = dict(expressions)
    while waiting:
        problem: MetricMathError | None = None
        for name, text in waiting.items():
            try:
                Expression.parse(text, names=tuple(known))
            except MetricMathError as error:
                problem = problem or error
            else:
                ordered.append((name, text))
                known.append(name)
                del waiting[name]
                break
        else:
            raise SimulationError(f"{where}: {problem}")
        if ordered[-1][0] == returned:
            return Query(metrics=metrics, expressions=ordered)
    return Query(metrics={returned: metrics[returned]})
