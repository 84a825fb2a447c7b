"""What target tracking does to a capacity: two alarms that AWS makes itself, and proportional changes.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from fargate_workers_toolkit.semantics.cooldown import Activity, Bounds, Cooldowns, Outcome, settle

ScaleIn = Literal["proportional", "gradual"]

# Both directions, for ECS.
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
DEFAULT_COOLDOWN = 300.0


@dataclass(frozen=True, kw_only=True)
class TrackingPolicy:
    """A `TargetTrackingScalingPolicyConfiguration`, and what AWS leaves undocumented.

    target: The metric's goal.
    scale_out_cooldown, scale_in_cooldown: In seconds. Default: 300.
    scale_in_disabled: Default: False.
    high_periods: One-minute datapoints above the target before scaling out. Default: 3.
    low_periods: Those below `low_ratio` of the target before scaling in. Default: 15.
        Both as in the alarms that AWS makes, which cannot be changed: https://github.com/aws/aws-cdk/issues/34472
    low_ratio: Default: 0.9, for AWS's "usually more than 10% lower".
    scale_in: AWS says "more gradually" and no more: in proportion, or at most a tenth at a time. Default: proportional.
    """

    target: float
    scale_out_cooldown: float = DEFAULT_COOLDOWN
    scale_in_cooldown: float = DEFAULT_COOLDOWN
    scale_in_disabled: bool = False
    high_periods: int = 3
    low_periods: int = 15
    low_ratio: float = 0.9
    scale_in: ScaleIn = "proportional"

    @classmethod
    def from_template(cls, configuration: Mapping[str, Any]) -> "TrackingPolicy":
        """Reads CloudFormation's form, in which numbers may be strings."""
        return cls(
            target=float(configuration["TargetValue"]),
            scale_out_cooldown=float(configuration.get("ScaleOutCooldown", DEFAULT_COOLDOWN)),
            scale_in_cooldown=float(configuration.get("ScaleInCooldown", DEFAULT_COOLDOWN)),
            scale_in_disabled=str(configuration.get("DisableScaleIn", False)).lower() == "true",
        )

    def shrinking(self, scale_in: ScaleIn) -> "TrackingPolicy":
        """The same policy with another guess at how AWS scales in."""
        return replace(self, scale_in=scale_in)

    def capacity_after(self, capacity: int, metric: float) -> int:
        """The capacity that would bring `metric` to the target, or as near as one change goes."""
        if capacity == 0:
            # With no task running there is no proportion: "the minimum possible amount as a starting point".
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
            return 1 if metric > self.target else 0
        wanted = math.ceil(capacity * metric / self.target - 1e-9)
        if wanted < capacity and self.scale_in == "gradual":
            return max(wanted, capacity - max(1, capacity // 10))
        return wanted


def scale_out(
    policy: TrackingPolicy, *, metric: float, current: int, bounds: Bounds, moment: float, last: Activity | None = None
) -> Outcome:
    """What the high alarm does."""
    return settle(
        lambda capacity: max(capacity, policy.capacity_after(capacity, metric)),
        current=current,
        bounds=bounds,
        moment=moment,
        cooldown=policy.scale_out_cooldown,
        last=last,
    )


def scale_in(
    policy: TrackingPolicy,
    *,
    metric: float,
    current: int,
    bounds: Bounds,
    moment: float,
    last: Activity | None = None,
    scale_in_waits: bool = True,
    others_grew: bool = False,
) -> Outcome:
    """What the low alarm does. `scale_in_waits`, `others_grew`: see `settle`."""
    return settle(
        lambda _: min(current, policy.capacity_after(current, metric)),
        current=current,
        bounds=bounds,
        moment=moment,
        cooldown=policy.scale_in_cooldown,
        last=last,
        scale_in_waits=scale_in_waits,
        others_grew=others_grew,
    )


class Reading(NamedTuple):
    """What an alarm says: whether it is in ALARM, and its newest datapoint."""

    in_alarm: bool
    metric: float | None


class Tracked(NamedTuple):
    """A policy by its name, and what its two alarms say."""

    name: str
    policy: TrackingPolicy
    high: Reading
    low: Reading


def track(
    tracked: Sequence[Tracked],
    *,
    cooldowns: Cooldowns,
    current: int,
    bounds: Bounds,
    moment: float,
    scale_in_waits: bool = True,
) -> tuple[str, Outcome] | None:
    """What the tracking policies of one service do together, and which of them does it; None when none wants anything.

    Any of them scales out; all that may scale in must agree to it; the largest capacity wins.
    https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
    """
    rising = [
        (
            name,
            scale_out(
                policy, metric=high.metric, current=current, bounds=bounds, moment=moment, last=cooldowns.last(name)
            ),
        )
        for name, policy, high, _ in tracked
        # Without tasks one datapoint is enough.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
        if high.metric is not None and (high.in_alarm or current == 0)
    ]
    if rising:
        return max(rising, key=lambda wish: wish[1].capacity)
    willing = [each for each in tracked if not each.policy.scale_in_disabled]
    if not all(each.low.in_alarm for each in willing):
        return None
    falling = [
        (policy.capacity_after(current, low.metric), name, policy, low.metric)
        for name, policy, _, low in willing
        if low.metric is not None
    ]
    if not falling:
        return None
    _, name, policy, metric = max(falling, key=lambda wish: wish[0])
    return name, scale_in(
        policy,
        metric=metric,
        current=current,
        bounds=bounds,
        moment=moment,
        last=cooldowns.last(name),
        scale_in_waits=scale_in_waits,
        others_grew=cooldowns.growing(moment),
    )
