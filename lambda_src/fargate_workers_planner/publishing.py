"""The publishing of plans, as the metrics that alarms and dashboards read."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from fargate_workers_planner.arithmetic import Plan
from fargate_workers_planner.metric_names import PAUSE_OVERDUE, PLANNER_NAMESPACE


def publish(plans: Mapping[str, Plan], *, overdue: Mapping[str, float], minute: datetime, cloudwatch: Any) -> None:
    """Publish the plans of all workers, and how long the paused ones stay paused, in one call.

    Args:
        plans: The plans by the workers' qualified names.
        overdue: Seconds for which a pause has lasted too long, by the names of the paused workers.
        minute: The minute that has just ended, with which they are stamped: alarms look at whole minutes.
        cloudwatch: CloudWatch's client.
    """
    data = [datum for worker, plan in plans.items() for datum in _data(worker, plan, minute)]
    data += [_datum(worker, PAUSE_OVERDUE, seconds, "Seconds", minute) for worker, seconds in overdue.items()]
    if data:
        cloudwatch.put_metric_data(Namespace=PLANNER_NAMESPACE, MetricData=data)


def publish_no_gap(workers: Iterable[str], *, minute: datetime, cloudwatch: Any) -> None:
    """Publish no gap for workers without a plan: an alarm that finds nothing goes by the gap of the minute before.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html

    Never for a minute whose plan is still to come: plans and alarms run every minute, at seconds that are not known. An
    alarm that looks just before the plan goes by the gap of the minute before; it would find the zero of this one, and
    in the next minute that of the next: never a gap.

    Args:
        workers: The workers' qualified names.
        minute: The minute that has just ended.
        cloudwatch: CloudWatch's client.
    """
    data = [_datum(worker, name, 0, "Count", minute) for worker in workers for name in ("CapacityGap", "CapacityGapIn")]
    if data:
        cloudwatch.put_metric_data(Namespace=PLANNER_NAMESPACE, MetricData=data)


def _data(worker: str, plan: Plan, minute: datetime) -> Iterator[dict[str, Any]]:
    yield _datum(worker, "DesiredTasks", plan.desired_tasks, "Count", minute)
    yield _datum(worker, "CapacityGap", plan.gap_out, "Count", minute)
    yield _datum(worker, "CapacityGapIn", plan.gap_in, "Count", minute)
    yield _datum(worker, "BacklogSeconds", plan.backlog_seconds, "Seconds", minute)


def _datum(worker: str, name: str, value: float, unit: str, minute: datetime) -> dict[str, Any]:
    return {
        "MetricName": name,
        "Dimensions": [{"Name": "Worker", "Value": worker}],
        "Timestamp": minute,
        "Value": value,
        "Unit": unit,
    }
