"""The work of an image that reports none, inferred from its queue."""

from collections.abc import Sequence

from fargate_workers_planner.arithmetic import ENOUGH_MINUTES, Work


def work_of_queue(in_flight: Sequence[float | None], deleted: Sequence[float | None]) -> list[Work | None]:
    """The work of each minute, inferred from the queue, for an image that does not report any: Little's law.

    While `in_flight` messages were worked on for a minute, `deleted` were finished. What was fetched ahead, or failed
    and stays hidden, counts as worked on: rather too much than too little. Until some minutes have finished something
    nothing is known, because the first of them see more begun than finished.

    Args:
        in_flight: Messages in flight in each minute, on average, oldest first; None where there is no datapoint.
        deleted: Messages that were finished in each of the same minutes.
    """
    work = [None if a is None or b is None else (a * 60.0, b) for a, b in zip(in_flight, deleted, strict=True)]
    known = sum(1 for each in work if each is not None and each[1]) >= ENOUGH_MINUTES
    return work if known else [None] * len(work)
