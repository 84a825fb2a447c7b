"""Spreads counts over the time in which their messages were sent, as far as their moments show it."""

import math

import numpy as np

from fargate_workers_toolkit.simulation.loads.load import Counts, smallest

# So many counts at one distance that go on, such as a file's five-minute part before its part by the minute.
STEADY = 12
MOST_TIMES = 5

# A distance below which moments that share it are a grid by chance only.
COARSE = 10


def spread(begins: Counts, counts: Counts, *, interval: float | None) -> Counts:
    """Messages by second from the first moment on, as evenly as whole messages can be.

    A count covers the time to the next, but no more than the interval: files have no lines for time without messages.

    Args:
        begins: Seconds since the first moment, ascending.
        counts: Messages of each.
        interval: Seconds that each count covers; None for what the distances show.
    """
    distances = np.diff(begins)
    covered = np.full(len(begins), max(round(interval), 1)) if interval else intervals(distances)
    lengths = np.minimum(np.append(distances, covered[-1]), covered)
    most = int((counts // np.maximum(lengths, 1)).max()) + 1
    arrivals: Counts = np.zeros(int(begins[-1] + lengths[-1]), dtype=smallest(most))
    for begin, length, count in zip(begins.tolist(), lengths.tolist(), counts.tolist(), strict=True):
        if count:
            shares: Counts = np.arange(length + 1, dtype=np.int64) * count // length
            arrivals[begin : begin + length] = np.diff(shares)
    return arrivals


def intervals(distances: Counts) -> Counts:
    """How many seconds each count covers at most, of one more than there are distances."""
    if not len(distances):
        return np.array([60])
    usual = usual_interval(distances)
    covered = np.full(len(distances) + 1, usual)
    changes = np.flatnonzero(np.diff(distances)) + 1
    for begin, end in zip([0, *changes.tolist()], [*changes.tolist(), len(distances)], strict=True):
        length = int(distances[begin])
        if end - begin >= STEADY and length <= MOST_TIMES * usual:
            covered[begin : end + 1] = np.maximum(covered[begin : end + 1], length)
    return covered


def usual_interval(distances: Counts) -> int:
    """What divides all distances, for lines may be missing; of distances that vary by themselves, one and a half."""
    grid = int(np.gcd.reduce(distances))
    if grid >= COARSE or grid == int(distances.min()):
        return grid
    return math.ceil(1.5 * float(np.median(distances)))
