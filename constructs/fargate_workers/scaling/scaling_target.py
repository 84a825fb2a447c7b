"""A service that Application Auto Scaling may resize, and the policies that do: L1 resources, one call each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aws_cdk import aws_applicationautoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from fargate_workers.alarms import Metric, dimensions, metric_queries
from fargate_workers.cloudformation import SCALING_ROLE, ownership_tags
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources import Signals
from fargate_workers_planner.steps import Adjustment

AdjustmentType = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
Aggregation = Literal["Minimum", "Maximum"]

_Policy = autoscaling.CfnScalingPolicy
_Alarm = cloudwatch.CfnAlarm


# The names of signals in the expressions of scaling.
_NAMES: Mapping[str, str] = {
    "visible": "backlog",
    "in_flight": "in_flight",
    "oldest": "oldest_age",
    "sent": "arrivals",
    "received": "deliveries",
    "deleted": "acknowledged",
}


@dataclass(frozen=True, kw_only=True)
class ScaledWorker:
    """A worker whose service scales.

    Args:
        name: The worker's qualified name, for its plan and its errors.
        environment: The environment that its cluster belongs to.
        cluster_name: The name of the ECS cluster.
        service_name: The name of the ECS service.
        signals: The metrics of the source that the worker drains.
        concurrency: Messages that a task handles at once.
        max_downstream_rate: The worker's own limit in messages per second. Defaults to none.
        most_busy_tasks: Tasks that the source lets be busy at most. Defaults to no bound.
    """

    name: str
    environment: str
    cluster_name: str
    service_name: str
    signals: Signals
    concurrency: int
    max_downstream_rate: float | None = None
    most_busy_tasks: int | None = None


class ScalingTarget:
    """The tasks of one service, which Application Auto Scaling may start and stop.

    Expressions read, per minute: messages `visible`, `in_flight`, `sent`, `received` and `deleted`, the age of the
    `oldest`, and `running` tasks.

    Args:
        scope: The construct that the resources belong to.
        worker: The worker whose service scales.
        min_tasks: Tasks that always run.
        max_tasks: Tasks that may run at most.
    """

    def __init__(self, scope: Construct, worker: ScaledWorker, *, min_tasks: int, max_tasks: int) -> None:
        self._scope = scope
        self._worker = worker.name
        signals = worker.signals.present()
        service = {"ClusterName": worker.cluster_name, "ServiceName": worker.service_name}
        self._metrics = {name: signals.get(signal) for name, signal in _NAMES.items()} | {
            "running": Metric(namespace="AWS/ECS", name="CPUUtilization", dimensions=service, statistic="SampleCount")
        }
        # No role: ECS is scaled through Application Auto Scaling's service-linked role.
        # `.ref`, not the object: of its three parts, the CDK would pass on the first.
        self._target_id = autoscaling.CfnScalableTarget(
            scope,
            "ScalableTarget",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{worker.cluster_name}/{worker.service_name}",
            min_capacity=min_tasks,
            max_capacity=max_tasks,
            # By these, operators find the worker: the target names the service, and the service all the rest.
            tags=ownership_tags(environment=worker.environment, name=worker.name, role=SCALING_ROLE),
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
        """Adjust the number of tasks when an expression has been at a threshold or above for some whole minutes.

        Args:
            name: The name of the policy.
            expression: The metric math; of several expressions, by name, the last one counts.
            threshold: The value at which the alarm is raised.
            minutes: Minutes for which it must hold.
            kind: What the adjustments are: tasks to add, tasks in all, or percent.
            adjustments: The changes, relative to the threshold.
            cooldown: Seconds until the same change is made again.
            aggregation: Which of those minutes chooses the adjustment. Defaults to the highest.

        Raises:
            ConfigurationError: The source of work does not report a metric of the expression.
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
        """Change the number of tasks by a planner's metric, once it has reached a threshold.

        Args:
            name: The name of the policy.
            metric: The metric, in tasks.
            threshold: The value at which the alarm is raised; one below 0 is reached from above.
            adjustments: The changes, relative to the threshold.
            cooldown: Seconds until the same change is made again.
            metadata: What the template says of who publishes the metric, and how.
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
        """Keep an expression near a goal, by AWS's target tracking.

        Args:
            name: The name of the policy.
            expression: The metric math.
            goal: The value to keep.
            scale_out_cooldown: Seconds between two changes that add tasks.
            scale_in_cooldown: Seconds between two changes that remove tasks.

        Raises:
            ConfigurationError: The source of work does not report a metric of the expression.
        """
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
        read = {key: metric for key, metric in self._metrics.items() if re.search(rf"\b{key}\b", text)}
        known = {key: metric for key, metric in read.items() if metric is not None}
        if absent := [_NAMES[key] for key in read if key not in known]:
            raise ConfigurationError(
                f"{self._worker}: its scaling computes with {' and '.join(absent)}, which the source of its work does "
                "not report; choose a scaling that does without."
            )
        return known

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
