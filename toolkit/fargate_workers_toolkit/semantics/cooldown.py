"""When a scaling policy may act: bounds and cooldowns, the same for step scaling and target tracking.

Each policy cools down by itself: "the scaling policy won't increase the desired capacity again", of others AWS says
nothing. A scale-out of any policy ends the cooldown of every scale-in.
https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html#step-scaling-cooldown
"""

from collections.abc import Callable
from typing import Literal, NamedTuple


class Bounds(NamedTuple):
    """The least and the most tasks of a scalable target."""

    minimum: int
    maximum: int

    def clamp(self, capacity: int) -> int:
        return max(self.minimum, min(self.maximum, capacity))


class Activity(NamedTuple):
    """A scaling that cools down until a moment. `base` is the capacity before it, or before those it was part of."""

    base: int
    capacity: int
    until: float

    @property
    def grew(self) -> bool:
        return self.capacity > self.base


class Cooldowns:
    """What the policies of one scalable target did last, by their names."""

    def __init__(self) -> None:
        self._last: dict[str, Activity] = {}

    def last(self, policy: str) -> Activity | None:
        return self._last.get(policy)

    def growing(self, moment: float) -> bool:
        """Whether a scale-out of any policy cools down."""
        return any(last.grew and moment < last.until for last in self._last.values())

    def begin(self, policy: str, activity: Activity) -> None:
        """A scale-out ends the cooldown of every scale-in."""
        if activity.grew:
            self._last = {other: last for other, last in self._last.items() if last.grew}
        self._last[policy] = activity


class Outcome(NamedTuple):
    """The capacity to set. `activity`: what cools down from now on; None when nothing changes. `blocked`: why not."""

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
    """What becomes of a policy's wish, given as the capacity it makes of another.

    While a scale-out cools down only a larger one passes, and what was added counts as part of it: +2, then +3 while
    cooling, add 3 in all. While a scale-in cools down nothing scales in; a scale-out goes at once.

    A cooldown begins with the request: AWS says "after the activity completes", and calls the request that.
    `last`: What this policy did last.
    `start`: The capacity a policy adds to. Default: the `current`, desired one.
    `scale_in_waits`: AWS does not say whether a scale-in also waits for a scale-out's cooldown. Default: it does.
    `others_grew`: Whether a scale-out of another policy cools down.
    """
    start = current if start is None else start
    cooling = last is not None and moment < last.until
    growing = cooling and last is not None and last.grew
    base = last.base if growing and last is not None else start
    wanted = bounds.clamp(capacity_after(base))
    if wanted > current:
        return Outcome(wanted, Activity(base, wanted, moment + cooldown))
    wish = capacity_after(start)
    if wish < start:
        wanted = bounds.clamp(wish)
        if wanted >= current:
            return Outcome(current, blocked="minimum")
        if (cooling and not growing) or (scale_in_waits and (growing or others_grew)):
            return Outcome(current, blocked="cooldown")
        return Outcome(wanted, Activity(current, wanted, moment + cooldown))
    if wish > start:
        return Outcome(current, blocked="maximum" if current >= bounds.maximum else "cooldown")
    return Outcome(current)
