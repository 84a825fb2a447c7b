"""What a step scaling policy does to a capacity, as Application Auto Scaling does it.

https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fargate_workers_toolkit.semantics.cooldown import Activity, Bounds, Outcome, settle

AdjustmentType = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]
Aggregation = Literal["Average", "Minimum", "Maximum"]

# What AWS does when the policy names none, whatever the CDK's documentation says.
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_StepScalingPolicyConfiguration.html
DEFAULT_COOLDOWN = 300.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """One interval, relative to the alarm's threshold, and what it does."""

    adjustment: int
    lower: float = -math.inf
    upper: float = math.inf

    def holds(self, difference: float) -> bool:
        """Above the threshold the lower bound is inclusive, below it the upper one; at it, either will do."""
        above = difference >= 0 and self.lower <= difference < self.upper
        below = difference <= 0 and self.lower < difference <= self.upper
        return above or below


@dataclass(frozen=True, kw_only=True)
class StepPolicy:
    """A `StepScalingPolicyConfiguration`. `cooldown` is in seconds and 300 where the policy names none.

    aggregation: What becomes of the datapoints that an alarm of several periods evaluated. Default: their average.
    """

    adjustment_type: AdjustmentType
    steps: Sequence[Step]
    cooldown: float = DEFAULT_COOLDOWN
    minimum_magnitude: int = 1
    aggregation: Aggregation = "Average"

    @classmethod
    def from_template(cls, configuration: Mapping[str, Any]) -> "StepPolicy":
        """Reads CloudFormation's form, in which numbers may be strings."""
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
        """The step for a metric that lies `difference` above the alarm's threshold."""
        return next((step for step in self.steps if step.holds(difference)), None)

    def capacity_after(self, capacity: int, step: Step) -> int:
        """The capacity this step asks for, before the target's bounds."""
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
    """What the policy does when its alarm's metric lies `difference` above the threshold.

    `cooldown` replaces the policy's, where seconds are compressed. `last`, `start`,
    `scale_in_waits`, `others_grew`: see `settle`.
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
