"""The capacity after a step scaling policy, as Application Auto Scaling calculates it.

https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fargate_workers_toolkit.aws_behaviour.cooldown import Activity, Bounds, Outcome, settle

AdjustmentType = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
Aggregation = Literal["Average", "Minimum", "Maximum"]

# What AWS does when the policy names none; the CDK's documentation differs.
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_StepScalingPolicyConfiguration.html
DEFAULT_COOLDOWN = 300.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One interval, relative to the alarm's threshold, and the change that it makes.

    Args:
        adjustment: The change, in the unit of the policy's adjustment type.
        lower: Where the interval begins, above the threshold. Defaults to no bound.
        upper: Where the interval ends, above the threshold. Defaults to no bound.
    """

    adjustment: int
    lower: float = -math.inf
    upper: float = math.inf

    def holds(self, difference: float) -> bool:
        """Whether the interval holds a difference.

        Above the threshold the lower bound is inclusive, below it the upper one; at it, either will do.

        Args:
            difference: How far the metric lies above the threshold; negative below it.
        """
        above = difference >= 0 and self.lower <= difference < self.upper
        below = difference <= 0 and self.lower < difference <= self.upper
        return above or below


@dataclass(frozen=True, kw_only=True)
class StepPolicy:
    """A `StepScalingPolicyConfiguration`.

    Args:
        adjustment_type: The unit of the steps' adjustments.
        steps: The intervals.
        cooldown: In seconds. Defaults to 300.
        minimum_magnitude: The fewest tasks that a change in percent adds or removes. Defaults to 1.
        aggregation: How the datapoints that an alarm of several periods evaluated become one. Defaults to their
            average.
    """

    adjustment_type: AdjustmentType
    steps: Sequence[Step]
    cooldown: float = DEFAULT_COOLDOWN
    minimum_magnitude: int = 1
    aggregation: Aggregation = "Average"

    @classmethod
    def from_template(cls, configuration: Mapping[str, Any]) -> "StepPolicy":
        """The policy in CloudFormation's form, in which numbers may be strings.

        Args:
            configuration: The `StepScalingPolicyConfiguration`.
        """
        return cls(
            adjustment_type=configuration["AdjustmentType"],
            steps=[
                Step(
                    adjustment=int(step["ScalingAdjustment"]),
                    lower=float(step.get("MetricIntervalLowerBound", -math.inf)),
                    upper=float(step.get("MetricIntervalUpperBound", math.inf)),
                )
                for step in configuration["StepAdjustments"]
            ],
            cooldown=float(configuration.get("Cooldown", DEFAULT_COOLDOWN)),
            minimum_magnitude=int(configuration.get("MinAdjustmentMagnitude", 1)),
            aggregation=configuration.get("MetricAggregationType", "Average"),
        )

    def metric_of(self, datapoints: Sequence[float]) -> float:
        """The one value that steps are chosen by. AWS's own errors list all datapoints of the evaluation periods.

        https://github.com/DFE-Digital/teaching-vacancies/pull/58

        Args:
            datapoints: The datapoints that the alarm evaluated, at least one.
        """
        if len(datapoints) == 1:
            return datapoints[0]
        match self.aggregation:
            case "Average":
                return sum(datapoints) / len(datapoints)
            case "Minimum":
                return min(datapoints)
            case "Maximum":
                return max(datapoints)

    def step_for(self, difference: float) -> Step | None:
        """The step for a metric; None where no interval holds it.

        Args:
            difference: How far the metric lies above the alarm's threshold; negative below it.
        """
        return next((step for step in self.steps if step.holds(difference)), None)

    def capacity_after(self, capacity: int, step: Step) -> int:
        """The capacity this step asks for, before the target's bounds.

        Args:
            capacity: The number of tasks to start from.
            step: The step.
        """
        match self.adjustment_type:
            case "ChangeInCapacity":
                return capacity + step.adjustment
            case "ExactCapacity":
                return step.adjustment
            case "PercentChangeInCapacity":
                return capacity + self._percentage(capacity * step.adjustment / 100)

    def _percentage(self, change: float) -> int:
        """Rounds away from zero below one, toward zero above it; at least the minimum magnitude."""
        whole = math.trunc(change) if abs(change) > 1 else math.copysign(math.ceil(abs(change)), change)
        return int(math.copysign(max(abs(whole), self.minimum_magnitude), change)) if change else 0


def scale_by_steps(
    policy: StepPolicy,
    *,
    difference: float,
    current: int,
    bounds: Bounds,
    moment: float,
    last: Activity | None = None,
    cooldown: float | None = None,
    start: int | None = None,
    scale_in_waits: bool = True,
    others_grew: bool = False,
) -> Outcome:
    """The outcome of a policy when its alarm's metric lies `difference` above the threshold.

    Args:
        policy: The policy.
        difference: How far the metric lies above the threshold; negative below it.
        current: The desired tasks.
        bounds: The least and the most tasks.
        moment: Now, in seconds.
        last: The latest activity of this policy. Defaults to None: it has had none.
        cooldown: Seconds in place of the policy's cooldown, where time is compressed. Defaults to the policy's.
        start: The capacity the policy starts from. Defaults to `current`; see `settle`.
        scale_in_waits: Whether a scale-in also waits for a scale-out's cooldown. Defaults to True.
        others_grew: Whether a scale-out of another policy cools down. Defaults to False.
    """
    step = policy.step_for(difference)
    if step is None:
        return Outcome(current)
    return settle(
        lambda capacity: policy.capacity_after(capacity, step),
        current=current,
        bounds=bounds,
        moment=moment,
        cooldown=policy.cooldown if cooldown is None else cooldown,
        last=last,
        start=start,
        scale_in_waits=scale_in_waits,
        others_grew=others_grew,
    )
