"""A scaled service as the simulator needs it, read from a template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fargate_workers_toolkit.aws_behaviour import Bounds, MissingData, Schedule, StepPolicy, TrackingPolicy

Source = Literal[
    "visible",
    "in_flight",
    "delayed",
    "oldest_age",
    "lag",
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
    """A source, seen through a statistic and a period of whole minutes.

    Args:
        source: The source.
        combination: How the minutes of a period become one datapoint. Defaults to `max`.
        minutes: The length of a period, in minutes. Defaults to 1.
    """

    source: Source
    combination: Combination = "max"
    minutes: int = 1


@dataclass(frozen=True, kw_only=True)
class Query:
    """One metric, or expressions over several in the order in which they need each other; the last one counts.

    Args:
        metrics: The metrics by the names that the expressions use.
        expressions: The name and the text of each expression. Defaults to none: there is one metric.
    """

    metrics: Mapping[str, Metric]
    expressions: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """An alarm and the step policies it triggers.

    Args:
        name: Its name.
        query: The metric or expressions that it watches.
        comparison: The comparison operator, as CloudWatch names it.
        threshold: In the unit of the metric.
        evaluation_periods: How many of the newest periods count. Defaults to 1.
        datapoints_to_alarm: How many of them must breach. Defaults to 1.
        missing_data: How missing datapoints count. Defaults to `missing`.
        policies: The names of the policies that it triggers. Defaults to none.
    """

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
    """A target tracking policy and the metric it keeps near its target.

    Args:
        name: The policy's name.
        policy: The policy.
        query: The metric.
    """

    name: str
    policy: TrackingPolicy
    query: Query


@dataclass(frozen=True, kw_only=True)
class ScheduledAction:
    """New bounds at some moments.

    Args:
        name: Its name.
        minute: The minute of every day at which it happens. Defaults to -1: its schedule decides.
        schedule: When it happens. Defaults to None: every day at that minute.
        minimum: The fewest tasks from then on. Defaults to None: as before.
        maximum: The most tasks from then on. Defaults to None: as before.
    """

    name: str
    minute: int = -1
    schedule: Schedule | None = None
    minimum: int | None = None
    maximum: int | None = None


# Of standard and of FIFO queues, which had 20,000 until 2024. From there on SQS hands out nothing more.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html
MOST_IN_FLIGHT = 120_000


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The queue of a service, or what stands in for it; the defaults are SQS's.

    Args:
        visibility_timeout: In seconds. Defaults to 30.
        max_receive_count: Deliveries after which a message is dead-lettered. Defaults to None: there is no dead-letter
            queue.
        retention: In seconds. Defaults to four days.
        fifo: Whether it is a FIFO queue. Defaults to False.
        most_in_flight: Messages that may be received and not deleted yet. Defaults to 120,000.
    """

    visibility_timeout: float = 30
    max_receive_count: int | None = None
    retention: float = 345_600
    fifo: bool = False
    most_in_flight: int = MOST_IN_FLIGHT


# Of the stop timeout, what the runtime keeps for itself.
STOP_MARGIN_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of a service.

    Args:
        vcpus: Its vCPUs. Defaults to 0.25.
        gibibytes: Its memory, in GiB. Defaults to 0.5.
        concurrency: Messages handled at once. Defaults to 1.
        prefetches: Whether it fetches ahead, as this project's runtime does. Defaults to False.
        protected: Whether ECS is asked not to stop it while a handler has run for longer than `drain`, or is expected
            to, as this project's runtime does. Defaults to False.
        stop_timeout: Seconds from SIGTERM to SIGKILL. Defaults to 30, as in ECS.
        rate_limit: Messages a second, for all tasks together. Defaults to None: there is no limit.
        spot_from: How many tasks are on demand before the others run on Spot. Defaults to None: all are on demand.
        backs_off: Whether it chooses when a failed message comes back, as this project's runtime does. Defaults to
            False: the visibility timeout ends.
        max_attempts: Failures after which it moves a message to the dead-letter queue itself. Defaults to None: SQS
            does.
    """

    vcpus: float = 0.25
    gibibytes: float = 0.5
    concurrency: int = 1
    prefetches: bool = False
    protected: bool = False
    stop_timeout: float = 30
    rate_limit: float | None = None
    spot_from: int | None = None
    backs_off: bool = False
    max_attempts: int | None = None

    @property
    def drain(self) -> float:
        """Seconds that handlers have after SIGTERM; one that has run for longer would outlive the stop timeout."""
        return max(1.0, self.stop_timeout - STOP_MARGIN_SECONDS)


@dataclass(frozen=True, kw_only=True)
class PlannerUse:
    """The policies' use of this project's planner.

    Args:
        worker: The worker it plans for.
        policy: The planner's policy for it.
        code: The planner's code. Defaults to None: it was not found.
        partitions: Tasks that the source lets be busy at most. Defaults to None: it is no topic.
        late: Whether it knows the source by metrics alone, which come late. Defaults to False: it asks a queue itself.
    """

    worker: str
    policy: Mapping[str, Any]
    code: Path | None = field(default=None, compare=False)
    partitions: int | None = None
    late: bool = False


@dataclass(frozen=True, kw_only=True)
class FunctionUse:
    """The use of a function instead of tasks: each of the service's "tasks" is an invocation that may be at work.

    Args:
        batch_size: Messages of an invocation at most. Defaults to 10.
        more_a_minute: Invocations that Lambda adds in a minute while messages wait. Defaults to 300.
    """

    batch_size: int = 10
    more_a_minute: int = 300


@dataclass(frozen=True, kw_only=True)
class KedaRule:
    """KEDA's rule for a queue, with the autoscaler's behaviour as `fargate-workers export keda` writes it.

    Args:
        queue_length: Messages for each pod. Defaults to KEDA's own 5.
        stabilization: Seconds for which the highest number wanted is kept. Defaults to 300.
        cooldown: Seconds without a message after which the last pods end, where none need run. Defaults to 300.
        tolerance: The deviation from the target that the autoscaler leaves alone, as a share. Defaults to 0.1.
    """

    queue_length: int = 5
    stabilization: int = 300
    cooldown: int = 300
    tolerance: float = 0.1


@dataclass(frozen=True, kw_only=True)
class ScaledService:
    """One service of a template with everything that scales it.

    Args:
        name: Its construct path.
        bounds: The least and the most tasks.
        initial_tasks: The desired tasks at the beginning. Defaults to 1.
        queue: The queue it reads. Defaults to one with SQS's defaults.
        task: One of its tasks. Defaults to the smallest one.
        steps: The step policies by name.
        alarms: The alarms that trigger them. Defaults to none.
        tracking: The target tracking policies. Defaults to none.
        scheduled: The scheduled actions. Defaults to none.
        planner: This project's planner, where the policies follow it. Defaults to None: they do not.
        function: How Lambda invokes the function that drains the queue. Defaults to None: tasks drain it.
        partitions: The partitions of its topic, of which each task has a share. Defaults to None: it reads a queue, a
            stream or a list.
        keda: KEDA's rule, where pods on Kubernetes follow it instead. Defaults to None: ECS scales.
    """

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
    function: FunctionUse | None = None
    partitions: int | None = None
    keda: KedaRule | None = None
