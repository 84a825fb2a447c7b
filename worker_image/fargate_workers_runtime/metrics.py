"""Metrics, as CloudWatch's embedded metric format on standard output: no API call, no agent, one line a minute.

Namespace `FargateWorkers`, dimension `Worker`:
    MessagesHandled    handlers that returned          MessagesFailed     attempts that will be tried again
    MessagesPoisoned   sent to the dead-letter queue   MessagesDuplicate  effects already done, not done again
    HandlerSeconds     how long handlers took
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

CountName = Literal["MessagesHandled", "MessagesFailed", "MessagesPoisoned", "MessagesDuplicate"]

COUNTS: tuple[CountName, ...] = ("MessagesHandled", "MessagesFailed", "MessagesPoisoned", "MessagesDuplicate")

#: Values that the format takes for one metric.
_MAX_VALUES = 100


class Metrics:
    """Counts and times of one worker, collected for a minute."""

    def __init__(self, worker: str, *, write: Callable[[str], object] | None = None) -> None:
        self._worker = worker
        self._write = write or _print_line
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._seconds: list[float] = []
        self._mean: float | None = None

    def count(self, name: CountName) -> None:
        with self._lock:
            self._counts[name] += 1

    def took(self, seconds: float) -> None:
        """A handler ended, in whatever way."""
        with self._lock:
            self._seconds.append(seconds)
            self._mean = seconds if self._mean is None else 0.9 * self._mean + 0.1 * seconds

    @property
    def mean_seconds(self) -> float | None:
        """The moving mean of a handler's time; None before the first has ended."""
        return self._mean

    def flush(self) -> None:
        """Write what was collected, zeros included: a worker that says nothing is a worker that is gone."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            seconds, self._seconds = self._seconds, []
        values: dict[str, object] = {name: counts[name] for name in COUNTS}
        definitions = [{"Name": name, "Unit": "Count"} for name in COUNTS]
        if seconds:
            values["HandlerSeconds"] = summarize(seconds, _MAX_VALUES)
            definitions.append({"Name": "HandlerSeconds", "Unit": "Seconds"})
        metrics = [{"Namespace": "FargateWorkers", "Dimensions": [["Worker"]], "Metrics": definitions}]
        line = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": metrics},
            "Worker": self._worker,
            **values,
        }
        self._write(json.dumps(line))


def summarize(values: Sequence[float], most: int) -> list[float]:
    """At most `most` values with the same mean and nearly the same percentiles.

    The means of equal slices of the sorted values.
    """
    ordered = sorted(values)
    if len(ordered) <= most:
        return [round(value, 6) for value in ordered]
    edges = [len(ordered) * index // most for index in range(most + 1)]
    slices = [ordered[start:end] for start, end in pairwise(edges)]
    return [round(sum(each) / len(each), 6) for each in slices]


def _print_line(line: str) -> None:
    print(line, flush=True)  # noqa: T201  standard output is where the log driver reads
