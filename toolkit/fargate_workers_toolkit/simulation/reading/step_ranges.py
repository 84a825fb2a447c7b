"""What AWS takes as the steps of a policy: ranges of a metric that touch, each value in one of them."""

import math
from collections.abc import Sequence
from itertools import pairwise

from fargate_workers_toolkit.aws_behaviour import Step
from fargate_workers_toolkit.errors import SimulationError


def refuse_ranges(steps: Sequence[Step], *, where: str) -> None:
    """A check for steps that AWS refuses when the policy is deployed.

    https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html

    Args:
        steps: The steps.
        where: The place in the template, for errors.

    Raises:
        SimulationError: AWS refuses them.
    """
    ordered = sorted(steps, key=lambda step: (step.lower, step.upper))
    problem = None
    if not ordered:
        problem = "has no steps"
    for step in ordered:
        if step.lower >= step.upper:
            problem = f"has a step that ends at {step.upper:g} before it begins at {step.lower:g}"
        elif math.isinf(step.lower) and math.isinf(step.upper):
            problem = "has a step without a lower and an upper bound"
    for before, after in pairwise(ordered):
        if after.lower < before.upper:
            problem = problem or f"has steps that overlap from {after.lower:g} to {min(before.upper, after.upper):g}"
        elif after.lower > before.upper:
            problem = problem or f"has a gap between its steps, from {before.upper:g} to {after.lower:g}"
    if problem is None and ordered[0].lower < 0 and math.isfinite(ordered[0].lower):
        problem = f"has no step below {ordered[0].lower:g}; leave the lower bound of that step out"
    if problem is None and ordered[-1].upper > 0 and math.isfinite(ordered[-1].upper):
        problem = f"has no step above {ordered[-1].upper:g}; leave the upper bound of that step out"
    if problem is not None:
        raise SimulationError(f"{where} {problem}, which AWS refuses.")
