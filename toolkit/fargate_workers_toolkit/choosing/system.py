"""A system of messages as one workload meets it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fargate_workers_toolkit.choosing.gauges import Gauge, Limit, Obstacle, broken
from fargate_workers_toolkit.choosing.workload import Workload
from fargate_workers_toolkit.cost import Line

# Seconds for which `pacing="economy"` lets messages gather, and those of a round trip to AWS without it.
_GATHER, _ROUND_TRIP = 1.0, 0.02
# The latency from which a second of gathering before the receipt does no harm.
_PATIENT = 2.0


@dataclass(frozen=True, kw_only=True)
class System:
    """One system and one workload: what stands against it, what it costs without its workers, how it is written.

    Args:
        key: Its name in JSON.
        name: Its name for people.
        hindrances: What stands against it, limits aside.
        gauges: How much of its limits the workload uses.
        lines: What sending and keeping cost a month.
        reading: What receiving costs a month, by the key of the workers that receive.
        code: The lines of Python that make it and its worker.
        remarks: What a person should know of it. Defaults to nothing.
    """

    key: str
    name: str
    hindrances: tuple[Obstacle, ...]
    gauges: tuple[Gauge, ...]
    lines: tuple[Line, ...]
    reading: Mapping[str, tuple[Line, ...]]
    code: tuple[str, ...]
    remarks: tuple[str, ...] = field(default=())

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """Why it cannot carry the workload; empty where it can."""
        return (*self.hindrances, *broken(self.gauges))


def is_patient(workload: Workload) -> bool:
    """Whether the latency allows messages to gather for a second.

    Args:
        workload: The workload.
    """
    return workload.latency is None or workload.latency >= _PATIENT


def gathered(workload: Workload, rate: float, *, window: bool = True) -> float:
    """Messages that one request carries, where so many arrive a second for the receiver.

    Args:
        workload: The workload, whose latency allows the messages to gather or not.
        rate: Messages a second.
        window: Whether the receiver can let them gather at all. Defaults to True.
    """
    return min(10.0, 1 + rate * (_GATHER if window and is_patient(workload) else _ROUND_TRIP))


def too_slow(workload: Workload, latency: Limit, *, name: str) -> Iterator[Obstacle]:
    """The obstacle that a system is slower than the latency asked for, if it is.

    Args:
        workload: The workload.
        latency: The system's own latency, in seconds, and its source.
        name: The system.
    """
    if workload.latency is not None and latency.most > workload.latency:
        yield Obstacle(
            text=f"a message takes about {1_000 * latency.most:g} ms through {name}, and "
            f"{1_000 * workload.latency:g} ms are asked for",
            source=latency.source,
        )


def one_at_a_time(workload: Workload) -> Iterator[Gauge]:
    """The limit that order sets to any system: one handler at a time for one key.

    Args:
        workload: The workload.
    """
    if workload.ordering != "none":
        one = "key" if workload.ordering == "key" else "order of all messages"
        yield Gauge(
            what=f"handlers at once for one {one}",
            whose="order",
            used=workload.chain_rate * workload.handler_seconds,
            limit=Limit(most=1, source="what order means"),
        )
