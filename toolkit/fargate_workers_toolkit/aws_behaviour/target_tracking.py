"""The capacity after target tracking: two alarms that AWS makes itself, and proportional changes.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from fargate_workers_toolkit.aws_behaviour.cooldown import Activity, Bounds, Cooldowns, Outcome, settle

ScaleIn = Literal["proportional", "gradual"]

# Both directions, for ECS.
# https://docs.aws.amazon.com/autoscaling/application/APIReference/API_TargetTrackingScalingPolicyConfiguration.html
DEFAULT_COOLDOWN = 300.0


@dataclass(frozen=True, kw_only=True)
class TrackingPolicy:
    """A `TargetTrackingScalingPolicyConfiguration`, and what AWS leaves undocumented.

    The periods are those of the alarms that AWS makes, which cannot be changed:
    https://github.com/aws/aws-cdk/issues/34472

    Args:
        target: The metric's goal.
        scale_out_cooldown: In seconds. Defaults to 300.
        scale_in_cooldown: In seconds. Defaults to 300.
        scale_in_disabled: Whether the policy only scales out. Defaults to False.
        high_periods: One-minute datapoints above the target before it scales out. Defaults to 3.
        low_periods: One-minute datapoints below `low_ratio` of the target before it scales in. Defaults to 15.
        low_ratio: A share of the target. Defaults to 0.9, for AWS's "usually more than 10% lower".
        scale_in: How far it scales in, of which AWS documents "more gradually" only: in proportion, or at most a tenth
            at a time. Defaults to `proportional`.
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
        """The policy in CloudFormation's form, in which numbers may be strings.

        Args:
            configuration: The `TargetTrackingScalingPolicyConfiguration`.
        """
        return cls(
            target=float(configuration["TargetValue"]),
            scale_out_cooldown=float(configuration.get("ScaleOutCooldown", DEFAULT_COOLDOWN)),
            scale_in_cooldown=float(configuration.get("ScaleInCooldown", DEFAULT_COOLDOWN)),
            scale_in_disabled=str(configuration.get("DisableScaleIn", False)).lower() == "true",
        )

    def shrinking(self, scale_in: ScaleIn) -> "TrackingPolicy":
        """The same policy with another guess at how AWS scales in.

        Args:
            scale_in: The guess.
        """
        return replace(self, scale_in=scale_in)

    def capacity_after(self, capacity: int, metric: float) -> int:
        """The capacity that would bring `metric` to the target, or as near as one change goes.

        Args:
            capacity: The number of tasks to start from.
            metric: The newest value of the metric.
        """
        if capacity == 0:
            # With no task running there is no proportion: "the minimum possible amount as a starting point".
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
            return 1 if metric > self.target else 0
        wanted = math.ceil(capacity * metric / self.target - 1e-9)
        if wanted < capacity and self.scale_in == "gradual":
            return max(wanted, capacity - max(1, capacity // 10))
        return wanted


def scale_out(
    policy: TrackingPolicy,
    *,
    metric: float,
    current: int,
    bounds: Bounds,
    moment: float,
    last: Activity | None = None,
    start: int | None = None,
) -> Outcome:
    """The outcome of the high alarm; its arguments are those of `settle`."""
    return settle(
        lambda capacity: max(capacity, policy.capacity_after(capacity, metric)),
        current=current,
        bounds=bounds,
        moment=moment,
        cooldown=policy.scale_out_cooldown,
        last=last,
        start=start,
    )


def scale_in(
    policy: TrackingPolicy,
    *,
    metric: float,
    current: int,
    bounds: Bounds,
    moment: float,
    last: Activity | None = None,
    start: int | None = None,
    scale_in_waits: bool = True,
    others_grew: bool = False,
) -> Outcome:
    """The outcome of the low alarm; its arguments are those of `settle`."""
    begin = current if start is None else start
    return settle(
        lambda _: min(begin, policy.capacity_after(begin, metric)),
        current=current,
        bounds=bounds,
        moment=moment,
        cooldown=policy.scale_in_cooldown,
        last=last,
        start=start,
        scale_in_waits=scale_in_waits,
        others_grew=others_grew,
    )


class Reading(NamedTuple):
    """What an alarm shows of a policy's metric.

    Args:
        in_alarm: Whether it is in ALARM.
        metric: Its newest datapoint; None where none is there.
    """

    in_alarm: bool
    metric: float | None


class Tracked(NamedTuple):
    """A policy and what its two alarms show.

    Args:
        name: The policy's name.
        policy: The policy.
        high: The alarm above the target.
        low: The alarm below the target.
    """

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
    start: int | None = None,
    scale_in_waits: bool = True,
) -> tuple[str, Outcome] | None:
    """The outcome of all tracking policies of one service, with the name of the one that acts; None when none acts.

    Any of them scales out; all that may scale in must agree to it; the largest capacity wins.
    https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html

    Args:
        tracked: The policies and their alarms.
        cooldowns: The latest activity of each policy.
        current: The desired tasks.
        bounds: The least and the most tasks.
        moment: Now, in seconds.
        start: The capacity they start from. Defaults to `current`; see `settle`.
        scale_in_waits: Whether a scale-in also waits for a scale-out's cooldown. Defaults to True.
    """
    rising = [
        (
            name,
            scale_out(
                policy,
                metric=high.metric,
                current=current,
                bounds=bounds,
                moment=moment,
                last=cooldowns.last(name),
                start=start,
            ),
        )
        for name, policy, high, _ in tracked
        # Without tasks one datapoint is enough.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
        if high.metric is not None and (high.in_alarm or current == 0)
    ]
    if rising:
        return max(rising, key=lambda change: change[1].capacity)
    willing = [each for each in tracked if not each.policy.scale_in_disabled]
    if not all(each.low.in_alarm for each in willing):
        return None
    falling = [
        (policy.capacity_after(current if start is None else start, low.metric), name, policy, low.metric)
        for name, policy, _, low in willing
        if low.metric is not None
    ]
    if not falling:
        return None
    _, name, policy, metric = max(falling, key=lambda change: change[0])
    return name, scale_in(
        policy,
        metric=metric,
        current=current,
        bounds=bounds,
        moment=moment,
        last=cooldowns.last(name),
        start=start,
        scale_in_waits=scale_in_waits,
        others_grew=cooldowns.growing(moment),
    )
