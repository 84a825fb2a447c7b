"""How long a message waits before its next delivery."""

import random

#: Seconds before the second attempt, at most.
BASE = 2.0

#: The longest wait between two attempts.
CAP = 900.0


def full_jitter(attempt: int, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait after the `attempt`-th failure (1 for the first): anything from 0 to `base` x 2^(attempt - 1).

    Full jitter spreads retries out instead of letting them return together.
    """
    return random.uniform(0, min(cap, base * 2 ** min(attempt - 1, 32)))  # noqa: S311  not a secret


def while_held(seconds_left: float, *, receive_count: int, mean_seconds: float | None) -> float:
    """Seconds to wait for a key that another attempt holds for `seconds_left`.

    Most duplicates arrive beside the first, whose handler is about to end: the first wait is short. The second lasts
    until the lease can have lapsed, and each further one twice as long: the other may renew it for long, and deliveries
    count towards the dead-letter queue, where a duplicate has no business.
    """
    if receive_count == 1:
        return min(seconds_left, BASE + 2 * (mean_seconds or 0))
    return seconds_left * 2 ** min(receive_count - 2, 32)
