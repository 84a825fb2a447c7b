"""The moments at which a scaling policy may act: bounds and cooldowns, the same for step scaling and target tracking.

Each policy cools down by itself: "the scaling policy won't increase the desired capacity again"; AWS documents nothing
about the others. A scale-out of any policy ends the cooldown of every scale-in.
https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html#step-scaling-cooldown
"""

from collections.abc import Callable
from typing import Literal, NamedTuple


class Bounds(NamedTuple):
    """The least and the most tasks of a scalable target.

    Args:
        minimum: The fewest tasks.
        maximum: The most tasks.
    """

    minimum: int
    maximum: int

    def clamp(self, capacity: int) -> int:
        """The capacity within the bounds that is nearest to the given one.

        Args:
            capacity: A number of tasks.
        """
        return max(self.minimum, min(self.maximum, capacity))


class Activity(NamedTuple):
    """A scaling that cools down until a moment.

    Args:
        base: The tasks before it, or before those it was part of.
        capacity: The tasks after it.
        until: The moment at which it has cooled down, in seconds.
    """

    base: int
    capacity: int
    until: float

    @property
    def grew(self) -> bool:
        return self.capacity > self.base


class Cooldowns:
    """The latest activities of the policies of one scalable target, by their names."""

    def __init__(self) -> None:
        self._last: dict[str, Activity] = {}

    def last(self, policy: str) -> Activity | None:
        """The latest activity of a policy; None before its first.

        Args:
            policy: The policy's name.
        """
        return self._last.get(policy)

    def growing(self, moment: float) -> bool:
        """Whether a scale-out of any policy cools down.

        Args:
            moment: Now, in seconds.
        """
        return any(last.grew and moment < last.until for last in self._last.values())

    def begin(self, policy: str, activity: Activity) -> None:
        """Begin a policy's cooldown; a scale-out ends the cooldown of every scale-in.

        Args:
            policy: The policy's name.
            activity: The scaling that now cools down.
        """
        if activity.grew:
            self._last = {other: last for other, last in self._last.items() if last.grew}
        self._last[policy] = activity


class Outcome(NamedTuple):
    """The capacity to set, and the reason where nothing changes.

    Args:
        capacity: The number of tasks.
        activity: The scaling that cools down from now on. Defaults to None: nothing changes.
        blocked: What kept the policy from a change. Defaults to None: nothing did.
    """

    capacity: int
    activity: Activity | None = None
    blocked: Literal["cooldown", "minimum", "maximum"] | None = None


def settle(
    capacity_after: Callable[[int], int],
    *,
    current: int,
    bounds: Bounds,
    moment: float,
    cooldown: float,
    last: Activity | None,
    start: int | None = None,
    scale_in_waits: bool = True,
    others_grew: bool = False,
) -> Outcome:
    """The outcome of a policy's request, which is given as the capacity it makes of another.

    While a scale-out cools down only a larger one passes, and what was added counts as part of it: +2, then +3 while
    cooling, add 3 in all. While a scale-in cools down nothing scales in; a scale-out goes at once.

    A cooldown begins with the request: AWS writes "after the activity completes", and calls the request that.

    Args:
        capacity_after: The capacity that the policy makes of a given one.
        current: The desired tasks.
        bounds: The least and the most tasks.
        moment: Now, in seconds.
        cooldown: For how long the policy cools down after a change, in seconds.
        last: The latest activity of this policy; None before its first.
        start: The capacity a policy starts from, such as that of the running tasks. Defaults to `current`. Whatever it
            is, a scale-out never lowers the desired capacity, and a scale-in never raises it.
        scale_in_waits: Whether a scale-in also waits for a scale-out's cooldown, which AWS leaves open. Defaults to
            True.
        others_grew: Whether a scale-out of another policy cools down. Defaults to False.
    """
    start = current if start is None else start
    cooling = last is not None and moment < last.until
    growing = cooling and last is not None and last.grew
    base = last.base if growing and last is not None else start
    more = capacity_after(base)
    wanted = bounds.clamp(more)
    if more > base and wanted > current:
        return Outcome(wanted, Activity(base, wanted, moment + cooldown))
    changed = capacity_after(start)
    if changed < start:
        wanted = bounds.clamp(changed)
        if wanted >= current:
            return Outcome(current, blocked="minimum" if current <= bounds.minimum else None)
        if (cooling and not growing) or (scale_in_waits and (growing or others_grew)):
            return Outcome(current, blocked="cooldown")
        return Outcome(wanted, Activity(current, wanted, moment + cooldown))
    if changed > start and current >= bounds.maximum:
        return Outcome(current, blocked="maximum")
    # What is on its way already needs no second request.
    return Outcome(current, blocked="cooldown" if changed > start and cooling else None)
