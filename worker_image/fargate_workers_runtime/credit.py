"""How many messages to ask for, and how many polls to keep open. Pure arithmetic; the loop is in receiving.py."""

from fargate_workers_runtime.queue import BATCH

#: Above this mean, requests hardly matter, and fairness between tasks does: nothing is fetched ahead.
LONG_HANDLER_SECONDS = 2.0


def ask_for(
    held: int, *, concurrency: int, mean_seconds: float | None, per_second: float = 0.0, visibility: int = 120
) -> int:
    """How many messages to ask for now, beside the `held` ones; 0 is wait.

    Short handlers: about a second's work is fetched ahead, and only full batches are asked for; that is 0.1 requests a
    message. Long handlers, and those whose speed is not known yet: as many as can start at once.
    """
    if mean_seconds is None or mean_seconds > LONG_HANDLER_SECONDS:
        return min(BATCH, max(0, concurrency - held))
    # At most three rounds of the handlers, and never more than a third of the visibility timeout drains.
    ahead = min(per_second, 3 * concurrency, per_second * visibility / 3)
    return BATCH if held + BATCH <= concurrency + max(BATCH, ahead) else 0


def polls(now: int, *, asked: int, received: int, most: int, starving: bool) -> int:
    """How many polls to keep open, after one that asked for `asked` messages and brought `received`.

    A full batch while handlers are `starving` says that one more would pay; less than half of one, that these are too
    many; none, that one is enough.
    """
    if received == 0:
        return 1
    if received == asked == BATCH and starving:
        return min(most, now + 1)
    return max(1, now - 1) if received < BATCH / 2 else now
