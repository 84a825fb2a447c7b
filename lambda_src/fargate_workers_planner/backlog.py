"""A backlog that is only known by metrics: how much came, and how much of it is in flight. Pure."""

from collections.abc import Sequence


def arrivals_of_backlog(backlog: Sequence[float | None], finished: Sequence[float | None]) -> list[float | None]:
    """The messages that came in each minute: by how much the backlog grew, and what was finished meanwhile.

    Where minutes of the backlog are missing, as while a consumer group rebalances, what came is spread over them.

    >>> arrivals_of_backlog([10, 14, None, 20], [5, 6, 2, 2])
    [None, 10.0, 5.0, 5.0]

    Args:
        backlog: Messages that wait or are in flight, at the end of each minute, oldest first; None where not known.
        finished: Messages that were finished in the same minutes; None is none.
    """
    arrivals: list[float | None] = [None] * len(backlog)
    last: int | None = None
    for minute, now in enumerate(backlog):
        if now is None:
            continue
        if last is not None:
            before = backlog[last] or 0.0
            done = sum(each or 0.0 for each in finished[last + 1 : minute + 1])
            each = max(0.0, now - before + done) / (minute - last)
            arrivals[last + 1 : minute + 1] = [each] * (minute - last)
        last = minute
    return arrivals


def split_backlog(backlog: float, *, running: int, concurrency: int) -> tuple[float, float]:
    """The messages that wait and those in flight, of a backlog that counts both: as many as the tasks can hold.

    >>> split_backlog(100, running=2, concurrency=10)
    (80, 20)

    Args:
        backlog: Messages that wait or are in flight.
        running: Tasks that run.
        concurrency: Messages that a task handles at once.
    """
    in_flight = min(backlog, running * concurrency)
    return backlog - in_flight, in_flight
