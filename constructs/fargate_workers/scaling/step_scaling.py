"""The arithmetic of step scaling: depths of a queue in, step adjustments out. Knows nothing of the CDK."""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Protocol

from fargate_workers.errors import ConfigurationError
from fargate_workers_planner.steps import Step

MAX_ADJUSTMENTS = 20  # AWS's quota for one policy; the CDK lets 40 pass


class Interval(Protocol):
    """A ScalingInterval of the CDK: a change, and the depths between which it applies."""

    @property
    def change(self) -> float: ...
    @property
    def lower(self) -> float | None: ...
    @property
    def upper(self) -> float | None: ...


def growing_steps(steps: Mapping[int, int], *, min_tasks: int, max_tasks: int, trim: bool) -> list[Step]:
    """The steps which add tasks, in order; the one at 1, which only wakes a sleeping service, is left out.

    Args:
        steps: Depth in messages -> tasks to add.
        min_tasks: Tasks that always run.
        max_tasks: Tasks that may run at most.
        trim: Whether steps are dropped that are never needed, because the one before reaches `max_tasks` already.

    Raises:
        ConfigurationError: Steps do not rise, never add a task, are never needed, or are more than AWS takes.
    """
    depths = list(steps)
    for depth, following in pairwise(depths):
        if following <= depth:
            raise ConfigurationError(f"steps: {following} comes after {depth}; write the depths in rising order.")
    if depths and depths[0] < 1:
        raise ConfigurationError(
            f"steps: a step begins at {depths[0]} messages; an empty queue needs no task: begin at 1."
        )
    if steps.get(1, 1) != 1:
        raise ConfigurationError(
            f"steps: the step at 1 says {steps[1]}, which would be added every minute while one message is in flight; "
            "let it say 1 (the first message wakes one task) and grow from a deeper one on."
        )
    growing = [(depth, add) for depth, add in steps.items() if depth > 1]
    if not growing:
        raise ConfigurationError("steps: none of them makes the service grow; add one, such as 100: 2.")
    if growing[0][1] < 1:
        raise ConfigurationError(
            f"steps: the step at {growing[0][0]} adds {growing[0][1]} tasks; scaling in needs no steps."
        )
    for (depth, add), (deeper, more) in pairwise(growing):
        if more <= add:
            raise ConfigurationError(
                f"steps: the step at {deeper} adds {more} and that at {depth} adds {add}; let them rise."
            )
    reachable = _reachable(growing, room=max_tasks - max(min_tasks, 1))
    if not trim and len(reachable) < len(growing):
        depth, add = growing[len(reachable)]
        raise ConfigurationError(
            f"steps: the step at {depth} (+{add}) is never needed: the one before reaches max_tasks ({max_tasks}); "
            "drop the step or raise max_tasks."
        )
    if len(reachable) > MAX_ADJUSTMENTS:
        raise ConfigurationError(f"steps: there are {len(reachable)} of them; AWS takes {MAX_ADJUSTMENTS} per policy.")
    return reachable


def steps_from_intervals(intervals: Iterable[Interval]) -> dict[int, int]:
    """The same steps, from the intervals `QueueProcessingFargateService` takes; those which scale in are left out.

    Args:
        intervals: The intervals, in any order.

    Raises:
        ConfigurationError: Intervals overlap, leave a gap or end.
    """
    growing = sorted((i for i in intervals if i.change > 0), key=lambda interval: interval.lower or 0)
    for interval in growing:
        if interval.lower is None:
            raise ConfigurationError(
                f"steps: the interval that adds {interval.change:g} has no lower bound; give it one."
            )
    for interval, following in pairwise(growing):
        if interval.upper is not None and interval.upper != following.lower:
            problem = "overlaps" if interval.upper > (following.lower or 0) else "leaves a gap before"
            raise ConfigurationError(
                f"steps: the interval up to {interval.upper:g} {problem} the one from {following.lower:g}; "
                "let one end where the next begins."
            )
    if growing and growing[-1].upper is not None:
        raise ConfigurationError(
            f"steps: beyond {growing[-1].upper:g} messages nothing is added; leave the last upper bound out."
        )
    return {int(interval.lower or 0): int(interval.change) for interval in growing}


def halving(max_tasks: int) -> list[Step]:
    """From so many running tasks on, keep that many: at most half of them go, and one always stays.

    "-50 %" would not do for a service that may sleep: Application Auto Scaling rounds half of one task up to one,
    and stops the last task while it works.

    Args:
        max_tasks: Tasks that may run at most.
    """
    edges = [edge for power in range(10) for edge in (2 * 2**power, 3 * 2**power) if edge <= max_tasks]
    uppers = [*edges[1:], max_tasks + 1]
    return [(edge, math.ceil((upper - 1) / 2)) for edge, upper in zip(edges, uppers, strict=True)]


def _reachable(growing: Sequence[Step], *, room: int) -> list[Step]:
    """The steps up to the first one that fills the room."""
    if room < 1:
        return []
    return [step for step, before in zip(growing, [(0, 0), *growing], strict=False) if before[1] < room]
