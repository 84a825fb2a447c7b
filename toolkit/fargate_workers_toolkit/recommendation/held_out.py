"""A day that the search leaves out, to judge by it what the search found."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from fargate_workers_toolkit.simulation.loads import BUILT_IN, Load

DAY = 86_400


def held_out(
    loads: Callable[[int], Sequence[Load]], *, seed: int
) -> tuple[list[Load], Callable[[int], Sequence[Load]]]:
    """The first day of each file that has two days at least, and the loads without them.

    Args:
        loads: The loads, for a seed.
        seed: The seed of the days that are left out.
    """
    first = [_part(load, 0, DAY, "the day before") for load in loads(seed) if _is_long(load)]

    def rest(seed: int) -> list[Load]:
        return [_part(load, DAY, load.seconds, "") if _is_long(load) else load for load in loads(seed)]

    return first, rest


def _is_long(load: Load) -> bool:
    """Whether a load is a file of two days at least, with messages on the first day and after it."""
    return (
        load.name not in BUILT_IN
        and load.seconds >= 2 * DAY
        and bool(load.arrivals[:DAY].any())
        and bool(load.arrivals[DAY:].any())
    )


def _part(load: Load, begin: int, end: int, what: str) -> Load:
    part = slice(begin, end)
    return replace(
        load,
        name=f"{load.name}, {what}" if what else load.name,
        arrivals=load.arrivals[part],
        work_seconds=load.work_seconds if isinstance(load.work_seconds, float) else load.work_by_second[part],
        begin=None if load.begin is None else load.begin + begin,
    )
