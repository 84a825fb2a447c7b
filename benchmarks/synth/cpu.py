"""CPU time of whole process trees, compared in turns: what a busy machine cannot spoil."""

import math
import os
import statistics
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How much more CPU one program takes than another: one ratio for each pair of runs."""

    pairs: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.pairs)

    def __str__(self) -> str:
        return f"{self.median:.2f} ({min(self.pairs):.2f} to {max(self.pairs):.2f} in {len(self.pairs)} pairs)"


def cpu_seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """User and system time of `command` and of everything it started and waited for.

    Raises RuntimeError with the end of its output when it fails.
    """
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{output.decode(errors='replace')[-4000:]}")
    return usage.ru_utime + usage.ru_stime


def compare(first: Callable[[], float], second: Callable[[], float], *, pairs: int) -> Ratio:
    """Run both in turns, after one run each that only warms caches, and compare each pair."""
    first(), second()
    return Ratio([first() / second() for _ in range(pairs)])


def slope(costs: Mapping[int, float]) -> float:
    """The exponent of growth between the smallest and the largest size, costs without what size 0 costs.

    >>> slope({0: 3.0, 10: 4.0, 100: 13.0})
    1.0
    """
    small, large = sorted(costs)[1], max(costs)
    return math.log((costs[large] - costs[0]) / (costs[small] - costs[0])) / math.log(large / small)
