"""Exponential back-off with full jitter: retries spread out instead of returning together."""

import random

#: Seconds before the second attempt, at most.
BASE = 2.0

#: The longest wait between two attempts.
CAP = 900.0


def full_jitter(attempt: int, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait after the `attempt`-th failure (1 for the first): anything from 0 to `base` x 2^(attempt - 1)."""
    return random.uniform(0, min(cap, base * 2 ** min(attempt - 1, 32)))  # noqa: S311  not a secret
