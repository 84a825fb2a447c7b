"""What a template says of one scaled service, as the simulator needs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fargate_workers_toolkit.semantics.alarm_evaluation import MissingData
from fargate_workers_toolkit.semantics.cooldown import Bounds
from fargate_workers_toolkit.semantics.step_scaling import StepPolicy
from fargate_workers_toolkit.semantics.target_tracking import TrackingPolicy

Source = Literal[
    "visible",
    "in_flight",
    "delayed",
    "oldest_age",
    "sent",
    "received",
    "deleted",
    "cpu",
    "running",
    "desired",
    "pending",
    "planned_tasks",
    "capacity_gap",
    "capacity_gap_in",
    "backlog_seconds",
]
"""A number of which the simulator knows one value a minute."""

Combination = Literal["max", "min", "mean", "sum"]
"""How the minutes of a longer period become one datapoint."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A source, seen through a statistic and a period of whole minutes."""

    source: Source
    combination: Combination = "max"
    minutes: int = 1


@dataclass(frozen=True, kw_only=True)
class Query:
    """One metric, or expressions over several in the order in which they need each other; the last one counts."""

    metrics: Mapping[str, Metric]
    expressions: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm and the step policies it triggers, by name."""

    name: str
    query: Query
    comparison: str
    threshold: float
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 1
    missing_data: MissingData = "missing"
    policies: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Tracking:
    """A target tracking policy and the metric it keeps near its target."""

    name: str
    policy: TrackingPolicy
    query: Query


@dataclass(frozen=True, kw_only=True)
class ScheduledAction:
    """New bounds at a minute of the day, every day. None leaves one as it is."""

    name: str
    minute: int
    minimum: int | None = None
    maximum: int | None = None


# Of standard and of FIFO queues, which had 20,000 until 2024. From there on SQS hands out nothing more.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
MOST_IN_FLIGHT = 120_000


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Of the queue, in seconds; the defaults are SQS's. `max_receive_count` is None without a dead-letter queue.

    most_in_flight: Messages that may be received and not deleted yet. Default: 120,000.
    """

    visibility_timeout: float = 30
    max_receive_count: int | None = None
    retention: float = 345_600
    fifo: bool = False
    most_in_flight: int = MOST_IN_FLIGHT


@dataclass(frozen=True, kw_only=True)
class Task:
    """Of one task.

    concurrency: Messages handled at once. Default: 1.
    prefetches: Whether it fetches ahead, as this project's runtime does.
    protected: Whether ECS is told not to stop it while it works, as this project's runtime does.
    stop_timeout: Seconds from SIGTERM to SIGKILL. Default: 30, ECS's.
    rate_limit: Messages a second, for all tasks together.
    spot_from: How many tasks are on demand before the others run on Spot. None: all are on demand.
    """

    vcpus: float = 0.25
    gibibytes: float = 0.5
    concurrency: int = 1
    prefetches: bool = False
    protected: bool = False
    stop_timeout: float = 30
    rate_limit: float | None = None
    spot_from: int | None = None


@dataclass(frozen=True, kw_only=True)
class PlannerUse:
    """That policies follow this project's planner: the worker it plans for, with which policy, and its code."""

    worker: str
    policy: Mapping[str, Any]
    code: Path | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class ScaledService:
    """One service of a template with everything that scales it."""

    name: str
    bounds: Bounds
    initial_tasks: int = 1
    queue: Queue = Queue()
    task: Task = Task()
    steps: Mapping[str, StepPolicy]
    alarms: Sequence[Alarm] = ()
    tracking: Sequence[Tracking] = ()
    scheduled: Sequence[ScheduledAction] = ()
    planner: PlannerUse | None = None
