"""What functions write: each event of the log has an id, as those of tasks have, and metrics in it are published."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import logs


def install(*, publish: Callable[[str], None]) -> None:
    """Put it into MiniStack, which gives an id to what is written by its API alone.

    Args:
        publish: Takes each line that a function wrote, for the metrics in it.
    """
    append = logs._append_log_events

    def append_with_ids(stream: dict[str, Any], events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            if "eventId" not in event:
                event["eventId"] = str(uuid.uuid4())
                publish(event["message"])
        append(stream, events)

    logs._append_log_events = append_with_ids
