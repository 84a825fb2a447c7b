"""The workers to plan for, as the environment names them."""

import json
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


def workers(text: str) -> list[Worker]:
    """WORKERS is a JSON list of objects with these fields."""
    return [_worker(**fields) for fields in json.loads(text)]


def _worker(*, policy: dict[str, Any], **names: str) -> Worker:
    return Worker(policy=Policy(**policy), **names)
