"""Metrics, as CloudWatch's embedded metric format on standard output: no API call, no agent, one line a minute.

Namespace `FargateWorkers`, dimension `Worker`; CloudWatch bills each of the ten, and those below that a worker has:
    MessagesHandled    handlers that returned          MessagesFailed     attempts that will be tried again
    MessagesPostponed  sent to wait by an outage of the claims or the rate limit, or by a handler that asks for Retry
    MessagesPoisoned   sent to the dead-letter queue   MessagesDuplicate  effects already done, not done again
    MessagesFenced     handlers that returned after another had taken over their message
    OutcomesGivenUp    endings that did not reach the queue while the message was leased
    HandlerSeconds     how long handlers took
    WorkSeconds        how long messages kept a handler's slot: claim, handler, completion; what scaling plans with
    Requests           to the queue, as SQS bills them
    Lag                messages that have not ended, and
    OldestAge          how long ago the oldest of them was sent, by a broker that no other metric shows: of a Redis
                       broker every worker writes the same, so that their maximum is the value; of Kafka each its own
    OutboxWaiting      messages that transactions have written and the relay has not sent, OutboxOldest how long the
                       oldest is due, and OutboxParked those that SQS refuses; once the outbox is in use
    BlockedKeys        keys whose first message failed and waits, by a broker that retries in place
    Rebalances         assignments of partitions       CommitsRefused     by the broker
    EntriesTrimmed     messages that were deleted before they had ended; these three are written when there are any
"""

import json
import logging
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from fargate_workers_runtime.telemetry import logs

_log = logging.getLogger(__name__)

CountName = Literal[
    "MessagesHandled",
    "MessagesFailed",
    "MessagesPostponed",
    "MessagesPoisoned",
    "MessagesDuplicate",
    "MessagesFenced",
    "OutcomesGivenUp",
    "Requests",
]

COUNTS: tuple[CountName, ...] = get_args(CountName)

#: Counts that are written only when there is something to count: most workers never have any, and pay for none.
RareCountName = Literal["CommitsRefused", "EntriesTrimmed", "Rebalances"]

GaugeName = Literal["Lag", "OldestAge", "BlockedKeys", "OutboxWaiting", "OutboxOldest", "OutboxParked"]

_UNITS: Mapping[GaugeName, str] = {
    "Lag": "Count",
    "OldestAge": "Seconds",
    "BlockedKeys": "Count",
    "OutboxWaiting": "Count",
    "OutboxOldest": "Seconds",
    "OutboxParked": "Count",
}

#: Values that the format takes for one metric.
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
MAX_VALUES = 100

#: The bucket of a duration of zero, which has no logarithm.
_NO_TIME = -10_000

#: Times that are taken in at once.
_TOGETHER = 100

#: How far back `rate` looks, in seconds: what came before counts for a third and less.
_RATE_SECONDS = 10.0


class Metrics:
    """Counts and times of one worker, collected for a minute. Its methods may be called from any thread.

    Args:
        write: Takes each line. Default: the log.
    """

    def __init__(
        self,
        worker: str,
        *,
        write: Callable[[str], object] = logs.write,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker = worker
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._handler_seconds = _Histogram()
        self._work_seconds = _Histogram()
        # What has ended since the last look: appended without the lock, and put into the histograms many at a time.
        self._took: deque[float] = deque()
        self._worked: deque[float] = deque()
        self._mean: float | None = None
        self._rate = 0.0
        self._rate_at = clock()
        self._looks: list[Callable[[], Mapping[GaugeName, float]]] = []

    def count(self, name: CountName | RareCountName, by: int = 1) -> None:
        """Count `by` more of `name`."""
        with self._lock:
            self._counts[name] += by

    def took(self, handler_seconds: float) -> None:
        """A handler ended, in whatever way."""
        self._took.append(handler_seconds)
        if len(self._took) >= _TOGETHER:
            with self._lock:
                self._take_in()

    def worked(self, seconds: float) -> None:
        """A message left its handler's slot."""
        self._worked.append(seconds)

    def observe(self, look: Callable[[], Mapping[GaugeName, float]]) -> None:
        """Call `look` before each line, and write what it returns; what it raises costs the line nothing else."""
        self._looks.append(look)

    @property
    def mean_seconds(self) -> float | None:
        """The moving mean of a handler's time; None before the first has ended."""
        if self._took:
            with self._lock:
                self._take_in()
        return self._mean

    @property
    def rate(self) -> float:
        """Handlers that ended per second, lately."""
        with self._lock:
            self._take_in()
            return self._rate

    def flush(self) -> None:
        """Write what was collected, zeros included: a worker that writes nothing is a worker that is gone."""
        gauges = self._looked()
        with self._lock:
            self._take_in()
            counts, self._counts = self._counts, Counter()
            times = {"HandlerSeconds": self._handler_seconds, "WorkSeconds": self._work_seconds}
            self._handler_seconds, self._work_seconds = _Histogram(), _Histogram()
        values: dict[str, object] = {name: counts[name] for name in COUNTS}
        values |= {name: counts[name] for name in get_args(RareCountName) if counts[name]}
        definitions = [{"Name": name, "Unit": "Count"} for name in values]
        values.update(**gauges)
        definitions += [{"Name": name, "Unit": _UNITS[name]} for name in gauges]
        for name, histogram in times.items():
            if summary := histogram.summary():
                values[name] = summary
                definitions.append({"Name": name, "Unit": "Seconds"})
        metrics = [{"Namespace": "FargateWorkers", "Dimensions": [["Worker"]], "Metrics": definitions}]
        line = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": metrics},
            "Worker": self._worker,
            **values,
        }
        self._write(json.dumps(line, separators=(",", ":")))

    def _looked(self) -> Mapping[GaugeName, float]:
        gauges: dict[GaugeName, float] = {}
        for look in self._looks:
            try:
                gauges |= look()
            except Exception as error:  # a server that does not answer: there is no value
                _log.warning("observation_failed", extra={"fields": {"error": type(error).__name__}})
        return gauges

    def _take_in(self) -> None:
        """Take in the times that have come since the last look, as if they had come evenly."""
        now = self._clock()
        passed, self._rate_at = now - self._rate_at, now
        number = len(self._took)
        kept = math.exp(-passed / _RATE_SECONDS)
        self._rate = self._rate * kept + (number * (1 - kept) / passed if passed > 0 else number / _RATE_SECONDS)
        mean = self._mean
        for _ in range(number):
            seconds = self._took.popleft()
            self._handler_seconds.add(seconds)
            mean = seconds if mean is None else 0.9 * mean + 0.1 * seconds
        self._mean = mean
        for _ in range(len(self._worked)):
            self._work_seconds.add(self._worked.popleft())


@dataclass
class _Bucket:
    count: int = 0
    total: float = 0.0


class _Histogram:
    """Durations in buckets a tenth wide: percentiles true to a tenth, the mean exact, in memory that does not grow."""

    def __init__(self) -> None:
        self._buckets: dict[int, _Bucket] = {}
        self._least, self._most = math.inf, 0.0

    def add(self, seconds: float) -> None:
        index = round(10 * math.log(seconds)) if seconds > 0 else _NO_TIME
        bucket = self._buckets.get(index)
        if bucket is None:
            bucket = self._buckets[index] = _Bucket()
        bucket.count += 1
        bucket.total += seconds
        self._least, self._most = min(self._least, seconds), max(self._most, seconds)

    def summary(self) -> dict[str, object] | None:
        """At most MAX_VALUES values, how often each came, and the exact rest; None if there were none.

        This form is what AWS's own exporter writes, with the same limit:
        https://github.com/open-telemetry/opentelemetry-collector-contrib/pull/36084
        """
        if not self._buckets:
            return None
        ordered = [self._buckets[index] for index in sorted(self._buckets)]
        together = math.ceil(len(ordered) / MAX_VALUES)
        groups = [ordered[start : start + together] for start in range(0, len(ordered), together)]
        counts = [sum(bucket.count for bucket in group) for group in groups]
        totals = [sum(bucket.total for bucket in group) for group in groups]
        return {
            "Values": [_short(total / count) for total, count in zip(totals, counts, strict=True)],
            "Counts": counts,
            "Min": _short(self._least),
            "Max": _short(self._most),
            "Sum": _short(sum(totals)),
            "Count": sum(counts),
        }


def _short(seconds: float) -> float:
    """To four digits, so that a line of 200 values fits into one write to a pipe."""
    return float(f"{seconds:.4g}")
