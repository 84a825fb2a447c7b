"""What does not fit together in a worker, whatever it drains. Pure arithmetic."""

from typing import Literal, get_args

from fargate_workers.errors import ConfigurationError

Pacing = Literal["latency", "economy"]

MAX_ATTEMPTS = 10


def attempts_of(id: str, max_attempts: int | None, *, max_receive_count: int | None) -> int:
    """The number of failures after which a message is given up; the source's own count is a guard above it.

    Args:
        id: The id of the worker, for the error.
        max_attempts: The number that the user chose. None is the default: 10, or the source's own if that is smaller.
        max_receive_count: Deliveries after which the source gives a message up. None is never, or not known.

    Raises:
        ConfigurationError: The number is out of its range, or the source gives up earlier.
    """
    if max_attempts is None:
        return min(MAX_ATTEMPTS, max_receive_count or MAX_ATTEMPTS)
    if not 1 <= max_attempts <= 1_000:
        raise ConfigurationError(f"{id}: max_attempts is {max_attempts}; use 1 to 1000.")
    if max_receive_count is not None and max_attempts > max_receive_count:
        raise ConfigurationError(
            f"{id}: max_attempts is {max_attempts}, but the queue gives a message up after {max_receive_count} "
            "receives; lower max_attempts, or raise the queue's max_receive_count."
        )
    return max_attempts


def check_sizes(id: str, *, concurrency: int, spot_from: int | None, max_tasks: int) -> None:
    """Check how many messages a task handles and how many tasks are on demand.

    Args:
        id: The id of the worker, for the error.
        concurrency: Messages that a task handles at once.
        spot_from: Tasks on demand before the others run on Spot. None is all on demand.
        max_tasks: Tasks that may run at most.

    Raises:
        ConfigurationError: One of them is out of its range.
    """
    if not 1 <= concurrency <= 1_000:
        raise ConfigurationError(f"{id}: concurrency is {concurrency}; a task handles 1 to 1000 messages at once.")
    if spot_from is not None and not 0 <= spot_from < max_tasks:
        raise ConfigurationError(
            f"{id}: spot_from is {spot_from} of {max_tasks} tasks; use 0 to {max_tasks - 1}, or leave it out."
        )


def check_choices(id: str, *, pacing: str, max_downstream_rate: int | None, recycle_after: int | None) -> None:
    """Check the options of the runtime.

    Args:
        id: The id of the worker, for the error.
        pacing: "latency" or "economy".
        max_downstream_rate: Handlers that may begin per second. None is without limit.
        recycle_after: Messages after which a process is replaced. None is never.

    Raises:
        ConfigurationError: One of them is unknown or out of its range.
    """
    if pacing not in get_args(Pacing):
        raise ConfigurationError(f"{id}: pacing is {pacing!r}; use one of {', '.join(get_args(Pacing))}.")
    if max_downstream_rate is not None and not 1 <= max_downstream_rate <= 1_000_000:
        raise ConfigurationError(
            f"{id}: max_downstream_rate is {max_downstream_rate}; use 1 to 1000000, or leave it out for no limit."
        )
    if recycle_after is not None and not 1 <= recycle_after <= 1_000_000_000:
        raise ConfigurationError(
            f"{id}: recycle_after is {recycle_after}; use 1 to 1000000000, or leave it out for never."
        )
