"""What a step scaling policy does to a capacity, as Application Auto Scaling does it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

AdjustmentType = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]


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
    """A `StepScalingPolicyConfiguration`. `cooldown` is in seconds and 300 where the policy names none."""

    adjustment_type: AdjustmentType
    steps: Sequence[Step]
    cooldown: float = 300
    minimum_magnitude: int = 1

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
            cooldown=float(configuration.get("Cooldown", 300)),
            minimum_magnitude=int(configuration.get("MinAdjustmentMagnitude", 1)),
        )

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


@dataclass(frozen=True, kw_only=True)
class Activity:
    """A scaling that happened."""

    moment: float
    before: int
    after: int


def desired_capacity(
    policy: StepPolicy,
    *,
    difference: float,
    current: int,
    minimum: int,
    maximum: int,
    moment: float,
    cooldown: float | None = None,
    last: Activity | None = None,
) -> int:
    """The capacity to set now; `current` when nothing is to be done.

    While a scale-out cools down only a larger one passes, and what was added counts as part of it (+2, then +3 while
    cooling: +1 more). While anything cools down nothing scales in. `cooldown` replaces the policy's, in real seconds.
    """
    step = policy.step_for(difference)
    if step is None:
        return current
    cooling = last is not None and moment - last.moment < (policy.cooldown if cooldown is None else cooldown)
    base = last.before if cooling and last is not None and last.after > last.before else current
    wanted = max(minimum, min(maximum, policy.capacity_after(base, step)))
    if wanted < current:
        scales_in = policy.capacity_after(current, step) < current
        return current if cooling or not scales_in else wanted
    return wanted
