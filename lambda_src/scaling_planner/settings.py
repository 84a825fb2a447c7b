"""The workers to plan for, as the event names them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaling_planner.arithmetic import Policy


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """A service, the queue it drains, and what is asked of the two."""

    worker: str
    queue_url: str
    queue_name: str
    cluster: str
    service: str
    policy: Policy


def workers(event: Mapping[str, Any]) -> list[Worker]:
    """Those of `{"workers": [...]}`, each an object with these fields. Raises ValueError for any other event."""
    if "workers" not in event:
        raise ValueError('The event has no "workers"; to plan by hand, use the Input of the rule\'s target.')
    return [_worker(**fields) for fields in event["workers"]]


def _worker(*, policy: dict[str, Any], **names: str) -> Worker:
    return Worker(policy=Policy(**policy), **names)
