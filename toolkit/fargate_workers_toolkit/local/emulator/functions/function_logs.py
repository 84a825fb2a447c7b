"""The log events of functions: each has an id, as those have that a task writes."""

import uuid
from collections.abc import Sequence
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import logs


def install() -> None:
    """Put it into MiniStack, which gives an id to what is written by its API alone."""
    append = logs._append_log_events

    def append_with_ids(stream: dict[str, Any], events: Sequence[dict[str, Any]]) -> None:
        append(stream, [{"eventId": str(uuid.uuid4()), **event} for event in events])

    logs._append_log_events = append_with_ids
