"""A stream or a list in Redis, as the planner reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fargate_workers_planner.backlog import arrivals_of_backlog
from fargate_workers_planner.metric_names import SOURCES_NAMESPACE
from fargate_workers_planner.reading import MinutelyMetric, newest
from fargate_workers_planner.sources.finished import finished, metrics_of_endings
from fargate_workers_planner.sources.source import AGE_LASTS, Found, Seen, Source

#: Minutes after which a count is no evidence of the present.
_COUNT_LASTS = 3


@dataclass(frozen=True, kw_only=True)
class Observed(Source):
    """A stream or a list in Redis, as its observer publishes it.

    Args:
        source: The name that the source goes by in metrics.
    """

    source: str

    def metrics(self, worker: str) -> Mapping[str, MinutelyMetric]:
        names = {"waiting": "Waiting", "flying": "InFlight", "age": "OldestAge"}
        dimensions = {"Source": self.source}
        observed = {
            short: MinutelyMetric(SOURCES_NAMESPACE, name, dimensions, "Maximum") for short, name in names.items()
        }
        return {**observed, **metrics_of_endings(worker)}

    def look(self, found: Found, *, sqs: Any) -> Seen:  # noqa: ARG002  of other sources
        waiting, in_flight = (newest(found[name], within=_COUNT_LASTS) for name in ("waiting", "flying"))
        if waiting is None or in_flight is None:
            raise LookupError(f"The observer has published nothing of {self.source} for {_COUNT_LASTS} minutes.")
        backlog = [
            None if one is None or other is None else one + other
            for one, other in zip(found["waiting"], found["flying"], strict=True)
        ]
        return Seen(
            visible=waiting,
            in_flight=in_flight,
            oldest_age=newest(found["age"], within=AGE_LASTS),
            arrivals=arrivals_of_backlog(backlog, finished(found)),
        )
