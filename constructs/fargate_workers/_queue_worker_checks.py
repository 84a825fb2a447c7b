"""What does not fit together in a queue worker, told in one sentence. Pure arithmetic."""

import math
from typing import Literal, get_args

from fargate_workers._timing import in_words

Pacing = Literal["latency", "economy"]

# Of one queue, standard or FIFO: beyond it, SQS refuses or falls silent.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MOST_IN_FLIGHT = 120_000


def most_held(*, concurrency: int, processes: int) -> int:
    """How many messages a task holds at most: each process what it handles, and a batch or three times that ahead."""
    handled = math.ceil(concurrency / processes)
    return processes * (handled + max(10, 3 * handled))


def check_times(id: str, *, visibility: int, retention: int | None, max_processing: int, acceptable_age: int) -> None:
    if visibility < 30:
        raise ValueError(
            f"{id}: visibility_timeout is {in_words(visibility)}, too short for a worker to renew it in time; "
            "make it 30 s or more."
        )
    longest = 12 * 3_600 - 2 * visibility
    if not 1 <= max_processing <= longest:
        raise ValueError(
            f"{id}: max_processing is {in_words(max_processing)}; SQS keeps a message in flight for 12 hours at most, "
            f"which leaves {in_words(longest)} with this visibility_timeout."
        )
    if acceptable_age < 60:
        raise ValueError(
            f"{id}: acceptable_age is {in_words(acceptable_age)}; SQS reports ages once a minute: use 60 s or more."
        )
    if retention is not None and acceptable_age > retention / 2:
        raise ValueError(
            f"{id}: acceptable_age ({in_words(acceptable_age)}) exceeds half of the queue's retention "
            f"({in_words(retention)}), so the alarm would come too late to save messages; lower it."
        )


def check_sizes(id: str, *, concurrency: int, processes: int, spot_from: int | None, max_tasks: int) -> None:
    if not 1 <= concurrency <= 1_000:
        raise ValueError(f"{id}: concurrency is {concurrency}; a task handles 1 to 1000 messages at once.")
    held = most_held(concurrency=concurrency, processes=processes)
    if 2 * max_tasks * held > MOST_IN_FLIGHT:
        raise ValueError(
            f"{id}: {max_tasks} tasks, twice as many during a deployment, may hold {held} messages each, but a queue "
            f"lets {MOST_IN_FLIGHT} be in flight; lower max_tasks or concurrency."
        )
    if spot_from is not None and not 0 <= spot_from < max_tasks:
        raise ValueError(
            f"{id}: spot_from is {spot_from} of {max_tasks} tasks; use 0 to {max_tasks - 1}, or leave it out."
        )


def check_choices(id: str, *, pacing: str, max_downstream_rate: int | None, recycle_after: int | None) -> None:
    if pacing not in get_args(Pacing):
        raise ValueError(f"{id}: pacing is {pacing!r}; use one of {', '.join(get_args(Pacing))}.")
    if max_downstream_rate is not None and not 1 <= max_downstream_rate <= 1_000_000:
        raise ValueError(
            f"{id}: max_downstream_rate is {max_downstream_rate}; use 1 to 1000000, or leave it out for no limit."
        )
    if recycle_after is not None and not 1 <= recycle_after <= 1_000_000_000:
        raise ValueError(f"{id}: recycle_after is {recycle_after}; use 1 to 1000000000, or leave it out for never.")
