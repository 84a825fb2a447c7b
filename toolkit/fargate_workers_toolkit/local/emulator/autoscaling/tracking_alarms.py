"""The two alarms that AWS makes for a target tracking policy, and takes away with it.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from fargate_workers_toolkit.aws_behaviour import TrackingPolicy
from fargate_workers_toolkit.local.emulator.ministack_parts import cloudwatch, provisioners, responses

Policy = Mapping[str, Any]

PREDEFINED = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}


class TrackingAlarms(NamedTuple):
    """The names of a policy's alarms.

    Args:
        high: The alarm that scales out.
        low: The alarm that scales in; None for a policy that never does.
    """

    high: str
    low: str | None

    @classmethod
    def of(cls, policy: Policy, *, arn: str) -> "TrackingAlarms":
        """Make the alarms of a policy.

        Args:
            policy: The policy.
            arn: Its ARN.

        Raises:
            ValueError: It tracks a metric that nothing measures here.
        """
        configuration = policy["TargetTrackingScalingPolicyConfiguration"]
        tracking = TrackingPolicy.from_template(configuration)
        metric = _metric(configuration, resource=policy["ResourceId"])
        suffix = uuid.uuid4()

        def put(side: str, *, comparison: str, threshold: float, periods: int) -> str:
            name = f"TargetTracking-{policy['ResourceId']}-{side}-{suffix}"
            _put_alarm(name, metric, comparison=comparison, threshold=threshold, periods=periods, action=arn)
            return name

        high = put(
            "AlarmHigh", comparison="GreaterThanThreshold", threshold=tracking.target, periods=tracking.high_periods
        )
        if tracking.scale_in_disabled:
            return cls(high, None)
        threshold = tracking.target * tracking.low_ratio
        low = put("AlarmLow", comparison="LessThanThreshold", threshold=threshold, periods=tracking.low_periods)
        return cls(high, low)

    def described(self) -> list[dict[str, str]]:
        """The alarms as Application Auto Scaling lists them."""
        names = [name for name in self if name is not None]
        return [{"AlarmName": name, "AlarmARN": _arn(name)} for name in names]

    def delete(self) -> None:
        """Delete them."""
        for name in self:
            if name is not None:
                cloudwatch.cloudformation_delete_metric_alarm(name)


def _metric(configuration: Mapping[str, Any], *, resource: str) -> dict[str, Any]:
    """What the alarms watch, in an alarm's own words."""
    custom: Mapping[str, Any] | None = configuration.get("CustomizedMetricSpecification")
    if custom is not None and custom.get("Metrics"):
        return {"Metrics": custom["Metrics"]}
    if custom is not None:
        names = ("Namespace", "MetricName", "Dimensions", "Statistic")
        return {"Period": 60, **{name: custom[name] for name in names if name in custom}}
    kind = configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]
    if kind not in PREDEFINED:
        raise ValueError(f"Nothing measures {kind} here; track one of {', '.join(PREDEFINED)} or a metric of your own.")
    _, cluster, service = resource.split("/")
    return {
        "Namespace": "AWS/ECS",
        "MetricName": PREDEFINED[kind],
        "Statistic": "Average",
        "Period": 60,
        "Dimensions": [{"Name": "ClusterName", "Value": cluster}, {"Name": "ServiceName", "Value": service}],
    }


def _put_alarm(
    name: str, metric: Mapping[str, Any], *, comparison: str, threshold: float, periods: int, action: str
) -> None:
    description = f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}."
    handler = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]
    handler["create"](
        name,
        {
            **metric,
            "AlarmName": name,
            "AlarmDescription": description,
            "ComparisonOperator": comparison,
            "Threshold": threshold,
            "EvaluationPeriods": periods,
            "AlarmActions": [action],
        },
        "",
    )


def _arn(alarm: str) -> str:
    return f"arn:aws:cloudwatch:{responses.get_region()}:{responses.get_account_id()}:alarm:{alarm}"
