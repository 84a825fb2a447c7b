"""How many messages to ask for, and how many polls to keep open. Pure arithmetic; the loop is in receivers.py."""

import math

#: Above this mean, requests hardly matter, and fairness between tasks does: nothing is fetched ahead.
LONG_HANDLER_SECONDS = 2.0

#: Messages that may wait in hand for their next attempt, for each that may run: a queue counts what is in flight.
MOST_IN_HAND = 8

#: The work that is fetched ahead where a call costs nothing, in seconds: it bridges a round trip.
_AHEAD_SECONDS = 0.25


def ask_for(
    held: int,
    *,
    concurrency: int,
    mean_seconds: float | None,
    largest_batch: int,
    per_second: float = 0.0,
    lease: int = 120,
    free: bool = False,
) -> int:
    """How many messages to ask for now, in addition to the `held` ones; 0 is wait.

    Short handlers: about a second's work is fetched ahead, and only full batches are asked for, which takes the fewest
    requests. Long handlers, and those whose speed is not known yet: as many as can start at once.

    Args:
        largest_batch: What one request brings at most.
        lease: Seconds for which a message is leased.
        free: A call costs nothing: a quarter of a second's work is fetched ahead, in batches of any size.
    """
    if mean_seconds is None or mean_seconds > LONG_HANDLER_SECONDS:
        return min(largest_batch, max(0, concurrency - held))
    if free:
        ahead = math.ceil(min(per_second * _AHEAD_SECONDS, 2 * largest_batch, per_second * lease / 3))
        room = concurrency + ahead - held
        # Half of what may be held: each message that ends makes room for one, and nobody asks for one at a time.
        return min(largest_batch, room) if room >= min(largest_batch, (concurrency + ahead + 1) // 2) else 0
    # At most three rounds of the handlers, and never more than a third of the lease drains.
    ahead = min(per_second, 3 * concurrency, per_second * lease / 3)
    return largest_batch if held + largest_batch <= concurrency + max(largest_batch, ahead) else 0


def polls(now: int, *, asked: int, received: int, most: int, starving: bool, largest_batch: int) -> int:
    """How many polls to keep open, after one that asked for `asked` messages and brought `received`.

    A full batch while handlers are `starving` is a reason for one more; less than half of one, for one fewer; and an
    empty one, for a single poll.
    """
    if received == 0:
        return 1
    if received == asked == largest_batch and starving:
        return min(most, now + 1)
    return max(1, now - 1) if received < largest_batch / 2 else now
