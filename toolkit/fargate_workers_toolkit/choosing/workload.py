"""A workload: what is sent, how, and what is expected of its handling."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

from fargate_workers_toolkit.cost import DAYS
from fargate_workers_toolkit.errors import ChoosingError

Ordering = Literal["none", "key", "total"]
Sending = Literal["batched", "single"]
Losing = Literal["never", "rarely"]

DAY = 86_400.0
#: The least that each number may be, and the most.
_RANGES: Mapping[str, tuple[float, float]] = {
    "messages_a_day": (1, 1e13),
    "size": (1, 1e9),
    "replay": (0, 3_650 * DAY),
    "readers": (1, 10_000),
    "latency": (0.0001, 30 * DAY),
    "handler_seconds": (0.0001, 30 * DAY),
    "peak": (1, 100_000),
    "keys": (1, 1e12),
}


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What decides between systems of messages.

        Workload(messages_a_day=10_000_000, ordering="key", replay=7 * 86_400)

    Args:
        messages_a_day: Messages that are sent in a day.
        size: Bytes of a message. Defaults to 2,000.
        ordering: Whether messages keep their order: "none", "key" for those of one key, "total" for all of them.
            Defaults to "none".
        replay: For how long handled messages can be read again, in seconds. Defaults to 0.
        readers: Independent readers, each of which handles every message. Defaults to 1.
        latency: The time within which a handler should begin, in seconds. Defaults to None: minutes are fine.
        losing: Whether a failover may lose the newest messages. Defaults to "never".
        sending: How messages are sent: "batched", ten at a time, or "single". Defaults to "batched".
        handler_seconds: What a handler takes for one message, most of it waiting. Defaults to 0.1.
        peak: The rate of the busiest minutes, in times the mean of the day. Defaults to 3.
        keys: Keys among which the messages are spread evenly, where order counts. Defaults to 1,000.

    Raises:
        ChoosingError: A number is out of its range.
    """

    messages_a_day: float
    size: float = 2_000
    ordering: Ordering = "none"
    replay: float = 0
    readers: int = 1
    latency: float | None = None
    losing: Losing = "never"
    sending: Sending = "batched"
    handler_seconds: float = 0.1
    peak: float = 3
    keys: float = 1_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _RANGES and value is not None:
                least, most = _RANGES[field.name]
                if not (math.isfinite(value) and least <= value <= most):
                    what = field.name.replace("_", " ")
                    raise ChoosingError(f"{value:g} is out of range for {what}; give {least:g} to {most:g}.")

    @property
    def monthly(self) -> float:
        """Messages of a month."""
        return self.messages_a_day * DAYS

    @property
    def rate(self) -> float:
        """Messages a second, the mean of the day."""
        return self.messages_a_day / DAY

    @property
    def peak_rate(self) -> float:
        """Messages a second in the busiest minutes."""
        return self.rate * self.peak

    @property
    def gigabytes(self) -> float:
        """Gigabytes of a month, 10^9 bytes each."""
        return self.monthly * self.size / 1e9

    @property
    def chains(self) -> float:
        """Orders that are kept apart from each other: the keys, or one where all messages have one order."""
        return 1 if self.ordering == "total" else self.keys

    @property
    def chain_rate(self) -> float:
        """Messages a second of one key in the busiest minutes."""
        return self.peak_rate / self.chains
