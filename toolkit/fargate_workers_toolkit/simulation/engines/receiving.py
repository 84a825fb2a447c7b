"""How many messages a task asks its queue for: as this project's runtime does, or one for each free handler."""

BATCH = 10

# As in the runtime: above this mean nothing is fetched ahead.
LONG_WORK_SECONDS = 2.0


def ask_for(
    held: int, *, concurrency: int, prefetches: bool, work_seconds: float, per_second: float, visibility: float
) -> int:
    """Messages to ask for, in addition to the held ones; 0 is none now.

    Args:
        held: Messages that the task holds.
        concurrency: Messages that it handles at once.
        prefetches: Whether it fetches ahead.
        work_seconds: The mean seconds of work in a message.
        per_second: Messages a second that it has handled lately.
        visibility: The visibility timeout, in seconds.
    """
    if not prefetches or work_seconds > LONG_WORK_SECONDS:
        return min(BATCH, max(0, concurrency - held))
    return BATCH if held + BATCH <= concurrency + _most_ahead(concurrency, per_second, visibility) else 0


def fetched_ahead(*, concurrency: int, work_seconds: float, per_second: float, visibility: float) -> float:
    """Messages that a task holds outside its handlers while others wait in the queue, on average.

    It asks for a batch as soon as there is room for one. The arguments are those of `ask_for`.
    """
    if work_seconds > LONG_WORK_SECONDS:
        return 0.0
    return _most_ahead(concurrency, per_second, visibility) - BATCH / 2


def _most_ahead(concurrency: int, per_second: float, visibility: float) -> float:
    return max(BATCH, min(per_second, 3 * concurrency, per_second * visibility / 3))
