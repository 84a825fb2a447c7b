"""A filter over ten thousand dead letters: how soon the first that matches is there, and the memory of the process."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Mapping

LETTERS = 10_000


def measure() -> Mapping[str, float]:
    """Seconds until the first match and until all are seen, and megabytes, of a process of its own."""
    ended = subprocess.run([sys.executable, "-m", __name__], check=True, capture_output=True, text=True)
    return json.loads(ended.stdout)


def _look() -> dict[str, float]:
    # As a command does, whose imports count.
    from fargate_workers_toolkit.commands import load  # noqa: PLC0415
    from fargate_workers_toolkit.operations.dead_letters import Filter, Groups, passing  # noqa: PLC0415
    from tests.toolkit.operations.test_memory import EndlessStore  # noqa: PLC0415

    load("dead-letters")
    where, groups, first = Filter.parse("body.amount > 4"), Groups(), 0.0
    began = time.monotonic()
    with passing(EndlessStore()) as (_, letters):
        for letter in letters:
            if where.matches(letter, now=0.0):
                groups.add(letter)
                first = first or time.monotonic() - began
    # Linux counts kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1_024
    return {
        "first": first,
        "all": time.monotonic() - began,
        "matches": groups.total,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_look()))
