"""How many messages a task asks its queue for: as this project's runtime does, or one for each free handler."""

BATCH = 10

# As in the runtime: above this mean nothing is fetched ahead.
LONG_WORK_SECONDS = 2.0


def ask_for(
    held: int, *, concurrency: int, prefetches: bool, work_seconds: float, per_second: float, visibility: float
) -> int:
    """Messages to ask for, beside the `held` ones; 0 is none now.

    `per_second`: What the task has handled lately.
    """
    if not prefetches or work_seconds > LONG_WORK_SECONDS:
        return min(BATCH, max(0, concurrency - held))
    ahead = min(per_second, 3 * concurrency, per_second * visibility / 3)
    return BATCH if held + BATCH <= concurrency + max(BATCH, ahead) else 0
