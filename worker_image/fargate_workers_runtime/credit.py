"""How many messages to ask for, so that none waits in a process that cannot start it."""

from fargate_workers_runtime.queue import BATCH

#: Above this mean, requests hardly matter, and fairness between tasks does: nothing is fetched ahead.
LONG_HANDLER_SECONDS = 2.0


def ask_for(*, held: int, concurrency: int, mean_seconds: float | None) -> int:
    """How many messages to ask for now; 0 is wait.

    Short handlers: one batch is fetched ahead, and only full batches are asked for; that is 0.1 requests a message.
    Long handlers, and those whose speed is not known yet: as many as can start at once.
    """
    if mean_seconds is None or mean_seconds > LONG_HANDLER_SECONDS:
        return min(BATCH, max(0, concurrency - held))
    return BATCH if held <= concurrency else 0
