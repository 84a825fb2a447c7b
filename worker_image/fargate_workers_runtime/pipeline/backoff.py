"""How long to wait before something is tried again. Pure arithmetic, but for random numbers."""

import random

#: Seconds before the second attempt at a message, at most.
BASE = 2.0

#: The longest wait between two attempts at a message, in seconds.
CAP = 900.0

#: The longest wait in hand between two looks at a key that another attempt holds, in seconds: a look costs one write.
LOOK_CAP = 20.0


def equal_jitter(failures: int, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait after so many failures (1 for the first): half of `base` x 2^(failures - 1), up to all of it.

    The fixed half is patience that can be counted on; the random half spreads retries out.
    """
    longest = _longest(failures, base=base, cap=cap)
    return random.uniform(longest / 2, longest)  # noqa: S311  not a secret


def full_jitter(failures: int, *, base: float = BASE, cap: float = CAP) -> float:
    """Seconds to wait after so many failures: anything from 0 to `base` x 2^(failures - 1).

    It spreads out repeated requests for one thing, where nothing depends on how long they wait.
    """
    return random.uniform(0, _longest(failures, base=base, cap=cap))  # noqa: S311  not a secret


def while_held(
    seconds_left: float, *, receive_count: int, deliveries_left: int, longest_run: float, mean_seconds: float | None
) -> float:
    """Seconds to wait for a key that another attempt holds for `seconds_left`.

    Most duplicates arrive together with the first, whose handler is about to end: the first wait is short. Later ones
    last until the lease can have lapsed, each twice as long as the one before: the other may renew it for long. All
    together outlast the longest handler, however few deliveries the queue has left for this message.

    Args:
        deliveries_left: How often the queue will deliver the message again before it gives it up.
        longest_run: Seconds that the other may take, its lease included.
        mean_seconds: How long handlers take. Default: not known.
    """
    if receive_count == 1 and deliveries_left > 1:
        return min(seconds_left, BASE + 2 * (mean_seconds or 0))
    doubled = seconds_left * 2 ** min(max(0, receive_count - 2), 32)
    return max(doubled, longest_run / 2 ** min(deliveries_left, 32))


def until_next_look(seconds_left: float, *, looks: int, mean_seconds: float | None) -> float:
    """Seconds until a message in hand looks again at a key that another attempt holds for `seconds_left`.

    The other may end at any moment, and releases its key then: the wait grows from the length of two handlers to
    `LOOK_CAP`, and does not outlast the lease.

    Args:
        looks: How often it has looked, this time included.
        mean_seconds: How long handlers take. Default: not known.
    """
    first = BASE + 2 * (mean_seconds or 0)
    return min(seconds_left, LOOK_CAP, first * 2 ** min(max(0, looks - 1), 32))


def _longest(failures: int, *, base: float, cap: float) -> float:
    return min(cap, base * 2 ** min(max(0, failures - 1), 32))
