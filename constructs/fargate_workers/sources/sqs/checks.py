"""What an SQS queue bears of a worker, checked before anything is deployed. Pure arithmetic."""

import math

from fargate_workers.durations import in_words
from fargate_workers.errors import ConfigurationError
from fargate_workers.sources.source import Demand

# Of one queue, standard or FIFO: beyond it, SQS refuses or falls silent.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MOST_IN_FLIGHT = 120_000
LARGEST_MESSAGE = 1024 * 1024
LONGEST_IN_FLIGHT = 12 * 3_600

# Messages that a process keeps for their next attempt, for each that it may handle; the runtime's number.
MOST_IN_HAND = 8


def most_held(*, concurrency: int, processes: int, fifo: bool = False) -> int:
    """The number of messages that a task holds at most.

    Each process holds what it handles, and a batch or three times that ahead. Of a FIFO queue it also keeps groups that
    wait for the next attempt at their first message.

    Args:
        concurrency: Messages that a task handles at once.
        processes: Processes of the task, which share its concurrency.
        fifo: Whether the queue is FIFO. Defaults to False.
    """
    handled = math.ceil(concurrency / processes)
    return processes * (handled + max(10, 3 * handled) + (MOST_IN_HAND * handled if fifo else 0))


def check_demand(worker: str, demand: Demand, *, visibility: int, retention: int | None, fifo: bool) -> None:
    """Compare what a worker needs with what its queue bears.

    Args:
        worker: The id of the worker, for the error.
        demand: What it needs.
        visibility: The queue's visibility timeout in seconds.
        retention: Seconds that a message may wait in the queue. None is not known.
        fifo: Whether the queue is FIFO.

    Raises:
        ConfigurationError: The queue cannot bear it.
    """
    _check_times(worker, demand, visibility=visibility, retention=retention)
    held = most_held(concurrency=demand.concurrency, processes=demand.processes, fifo=fifo)
    if 2 * demand.max_tasks * held > MOST_IN_FLIGHT:
        raise ConfigurationError(
            f"{worker}: {demand.max_tasks} tasks, twice as many during a deployment, may hold {held} messages each, "
            f"but a queue lets {MOST_IN_FLIGHT} be in flight; lower max_tasks or concurrency."
        )
    if demand.max_message_bytes is not None and not 1 <= demand.max_message_bytes <= LARGEST_MESSAGE:
        raise ConfigurationError(
            f"{worker}: max_message_bytes is {demand.max_message_bytes}; use 1 to {LARGEST_MESSAGE}, which is all that "
            "SQS carries."
        )


def _check_times(worker: str, demand: Demand, *, visibility: int, retention: int | None) -> None:
    max_processing, acceptable_age = demand.max_processing_seconds, demand.acceptable_age_seconds
    if visibility < 30:
        raise ConfigurationError(
            f"{worker}: visibility_timeout is {in_words(visibility)}, too short for a worker to renew it in time; "
            "make it 30 s or more."
        )
    longest = LONGEST_IN_FLIGHT - 2 * visibility
    if not 1 <= max_processing <= longest:
        raise ConfigurationError(
            f"{worker}: max_processing is {in_words(max_processing)}; SQS keeps a message in flight for 12 hours at "
            f"most, which leaves {in_words(longest)} with this visibility_timeout."
        )
    if acceptable_age < 60:
        raise ConfigurationError(
            f"{worker}: acceptable_age is {in_words(acceptable_age)}; SQS reports ages once a minute: use 60 s or more."
        )
    if retention is not None and acceptable_age > retention / 2:
        raise ConfigurationError(
            f"{worker}: acceptable_age ({in_words(acceptable_age)}) exceeds half of the queue's retention "
            f"({in_words(retention)}), so the alarm would come too late to save messages; lower it."
        )
