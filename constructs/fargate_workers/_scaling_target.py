"""A service that Application Auto Scaling may resize, and the policies that do: L1 resources, one call each."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from fargate_workers._metric_queries import dimensions, metric_queries
from fargate_workers.alarm_definition import Metric
from fargate_workers.step_scaling import Adjustment

AdjustmentType = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
Aggregation = Literal["Minimum", "Maximum"]

_Policy = autoscaling.CfnScalingPolicy
_Alarm = cloudwatch.CfnAlarm


class ScalingTarget:
    """The tasks of one service.

    Expressions read, per minute: messages `visible`, `in_flight`, `sent`, `received` and `deleted`, the age of the
    `oldest`, and `running` tasks.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        cluster_name: str,
        service_name: str,
        queue_name: str,
        min_tasks: int,
        max_tasks: int,
    ) -> None:
        self._scope = scope
        queue = {"QueueName": queue_name}
        service = {"ClusterName": cluster_name, "ServiceName": service_name}
        self._metrics = {
            "visible": Metric(namespace="AWS/SQS", name="ApproximateNumberOfMessagesVisible", dimensions=queue),
            "in_flight": Metric(namespace="AWS/SQS", name="ApproximateNumberOfMessagesNotVisible", dimensions=queue),
            "oldest": Metric(namespace="AWS/SQS", name="ApproximateAgeOfOldestMessage", dimensions=queue),
            "sent": Metric(namespace="AWS/SQS", name="NumberOfMessagesSent", dimensions=queue, statistic="Sum"),
            "received": Metric(namespace="AWS/SQS", name="NumberOfMessagesReceived", dimensions=queue, statistic="Sum"),
            "deleted": Metric(namespace="AWS/SQS", name="NumberOfMessagesDeleted", dimensions=queue, statistic="Sum"),
            "running": Metric(namespace="AWS/ECS", name="CPUUtilization", dimensions=service, statistic="SampleCount"),
        }
        # No role: ECS is scaled through Application Auto Scaling's service-linked role.
        # `.ref`, not the object: of its three parts, the CDK would pass on the first.
        self._target_id = autoscaling.CfnScalableTarget(
            scope,
            "ScalableTarget",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{cluster_name}/{service_name}",
            min_capacity=min_tasks,
            max_capacity=max_tasks,
        ).ref

    def step(
        self,
        name: str,
        expression: str | Mapping[str, str],
        *,
        threshold: int,
        minutes: int,
        kind: AdjustmentType,
        adjustments: Sequence[Adjustment],
        cooldown: int,
        aggregation: Aggregation = "Maximum",
    ) -> None:
        """Adjust the number of tasks when `expression` has been at `threshold` or above for so many whole minutes.

        Of several expressions, by name, the last one. `aggregation`: Which of those minutes chooses the step.
        """
        policy = self._step_policy(name, kind=kind, adjustments=adjustments, cooldown=cooldown, aggregation=aggregation)
        _Alarm(
            self._scope,
            f"{name}Alarm",
            alarm_description=_description(name),
            metrics=metric_queries(self._read_by(expression), expression, period=60),
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=threshold,
            evaluation_periods=minutes,
            datapoints_to_alarm=minutes,
            treat_missing_data="notBreaching",
            alarm_actions=[policy.ref],
        )

    def follow(
        self,
        name: str,
        metric: Metric,
        *,
        threshold: int,
        adjustments: Sequence[Adjustment],
        cooldown: int,
        metadata: Mapping[str, Any],
    ) -> None:
        """Change the number of tasks by what a planner's `metric` says, once it has reached the threshold.

        A threshold below 0 is reached from above. `metadata` says in the template who publishes the metric, and how.
        """
        policy = self._step_policy(
            name, kind="ChangeInCapacity", adjustments=adjustments, cooldown=cooldown, aggregation="Maximum"
        )
        policy.add_metadata("fargate-workers", metadata)
        _Alarm(
            self._scope,
            f"{name}Alarm",
            alarm_description=_description(name),
            namespace=metric.namespace,
            metric_name=metric.name,
            dimensions=dimensions(metric),
            statistic=metric.statistic,
            period=60,
            comparison_operator=f"{'Greater' if threshold > 0 else 'Less'}ThanOrEqualToThreshold",
            threshold=threshold,
            evaluation_periods=1,
            datapoints_to_alarm=1,
            treat_missing_data="notBreaching",
            alarm_actions=[policy.ref],
        )

    def track(self, name: str, expression: str, *, goal: int, scale_out_cooldown: int, scale_in_cooldown: int) -> None:
        """Keep `expression` near `goal`."""
        # On the L1, because the L2 takes single metrics only: https://github.com/aws/aws-cdk/issues/20659
        _Policy(
            self._scope,
            name,
            policy_name=name,
            policy_type="TargetTrackingScaling",
            scaling_target_id=self._target_id,
            target_tracking_scaling_policy_configuration=_Policy.TargetTrackingScalingPolicyConfigurationProperty(
                target_value=goal,
                scale_out_cooldown=scale_out_cooldown,
                scale_in_cooldown=scale_in_cooldown,
                customized_metric_specification=_Policy.CustomizedMetricSpecificationProperty(
                    metrics=metric_queries(self._read_by(expression), expression, period=None)
                ),
            ),
        )

    def _read_by(self, expression: str | Mapping[str, str]) -> dict[str, Metric]:
        text = expression if isinstance(expression, str) else " ".join(expression.values())
        return {key: metric for key, metric in self._metrics.items() if re.search(rf"\b{key}\b", text)}

    def _step_policy(
        self,
        name: str,
        *,
        kind: AdjustmentType,
        adjustments: Sequence[Adjustment],
        cooldown: int,
        aggregation: Aggregation,
    ) -> autoscaling.CfnScalingPolicy:
        return _Policy(
            self._scope,
            name,
            policy_name=name,
            policy_type="StepScaling",
            scaling_target_id=self._target_id,
            step_scaling_policy_configuration=_Policy.StepScalingPolicyConfigurationProperty(
                adjustment_type=kind,
                # AWS's own default is 300 s, whatever the CDK's documentation says.
                cooldown=cooldown,
                metric_aggregation_type=aggregation,
                min_adjustment_magnitude=1 if kind == "PercentChangeInCapacity" else None,
                step_adjustments=[
                    _Policy.StepAdjustmentProperty(
                        metric_interval_lower_bound=adjustment.lower,
                        metric_interval_upper_bound=adjustment.upper,
                        scaling_adjustment=adjustment.change,
                    )
                    for adjustment in adjustments
                ],
            ),
        )


def _description(policy_name: str) -> str:
    return f"Application Auto Scaling's, for its policy {policy_name}; it calls no one."
