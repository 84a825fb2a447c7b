"""How many messages a worker finished in each minute, by what its tasks report."""

from collections.abc import Mapping

from fargate_workers_planner.metric_names import RUNTIME_NAMESPACE
from fargate_workers_planner.reading import MinutelyMetric, Minutes
from fargate_workers_planner.sources.source import Found

#: What becomes of a message that ends, and the metric that counts it.
_ENDINGS = {"handled": "MessagesHandled", "duplicate": "MessagesDuplicate", "poisoned": "MessagesPoisoned"}


def metrics_of_endings(worker: str) -> Mapping[str, MinutelyMetric]:
    """The metrics that count a worker's finished messages.

    Args:
        worker: The worker's qualified name.
    """
    dimensions = {"Worker": worker}
    return {name: MinutelyMetric(RUNTIME_NAMESPACE, metric, dimensions, "Sum") for name, metric in _ENDINGS.items()}


def finished(found: Found) -> Minutes:
    """The messages that were finished in each minute; None where no task reported.

    Args:
        found: The minutes of those metrics.
    """
    return [
        None if all(each is None for each in minute) else sum(each or 0.0 for each in minute)
        for minute in zip(*(found[name] for name in _ENDINGS), strict=True)
    ]
