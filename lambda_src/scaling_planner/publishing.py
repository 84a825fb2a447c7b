"""Plans, as the metrics that alarms and dashboards read."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from scaling_planner.arithmetic import Plan

NAMESPACE = "FargateWorkers/Scaling"


def publish(plans: Mapping[str, Plan], *, minute: datetime, cloudwatch: Any) -> None:
    """One call for the plans of all workers.

    They are stamped with the `minute` that has just ended. An alarm looks at whole minutes: so it acts on a plan at its
    next look, before the next plan is made, and never adds the same tasks twice.
    """
    if plans:
        data = [datum for worker, plan in plans.items() for datum in _data(worker, plan, minute)]
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)


def _data(worker: str, plan: Plan, minute: datetime) -> Iterator[dict[str, Any]]:
    for name, value, unit in (
        ("DesiredTasks", plan.desired_tasks, "Count"),
        ("CapacityGap", plan.gap_out, "Count"),
        ("CapacityGapIn", plan.gap_in, "Count"),
        ("BacklogSeconds", plan.backlog_seconds, "Seconds"),
    ):
        yield {
            "MetricName": name,
            "Dimensions": [{"Name": "Worker", "Value": worker}],
            "Timestamp": minute,
            "Value": value,
            "Unit": unit,
        }
