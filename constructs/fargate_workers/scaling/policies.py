"""The policies by which a worker's service follows its work: what a user chooses, checked."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as autoscaling
from constructs import Construct

from fargate_workers.durations import in_seconds
from fargate_workers.errors import ConfigurationError
from fargate_workers.scaling.attachment import follow_backlog, follow_depth, follow_expressions, follow_planner
from fargate_workers.scaling.latency_budget import ACCEPTABLE_LATENCY, PROCESSING_TIME, LatencyBudget, PlannedWorker
from fargate_workers.scaling.scaling_target import ScaledWorker, ScalingTarget
from fargate_workers.scaling.step_scaling import growing_steps, steps_from_intervals
from fargate_workers_planner.arithmetic import LAUNCH_LATENCY, Mode
from fargate_workers_planner.steps import DEFAULT_STEPS, Step, until_seen

MIN_TASKS = 1
MAX_TASKS = 10


@dataclass(frozen=True, kw_only=True)
class Scaling(ABC):
    """The numbers of tasks between which a service scales, and the policy by which it does.

    The methods `for_latency`, `on_queue_depth` and `on_backlog_per_task` make one. A policy of your own is a subclass
    with a method `scale`.

    By depth or backlog, a service with `min_tasks=0` is woken by the first message: one task is started when
    CloudWatch has reported it for two minutes, within two or three. A queue that nobody has touched for six hours
    reports up to 15 minutes late. Silence of a metric never scales in.

    Args:
        min_tasks: Tasks that always run.
        max_tasks: Tasks that may run at most.

    Raises:
        ConfigurationError: The numbers of tasks contradict each other.
    """

    min_tasks: int = MIN_TASKS
    max_tasks: int = MAX_TASKS

    def __post_init__(self) -> None:
        if self.min_tasks < 0:
            raise ConfigurationError(f"min_tasks is {self.min_tasks}; use 0 or more.")
        if self.max_tasks < max(self.min_tasks, 1):
            raise ConfigurationError(
                f"max_tasks ({self.max_tasks}) must be at least 1 and not below min_tasks ({self.min_tasks})."
            )

    @abstractmethod
    def scale(self, scope: Construct, worker: ScaledWorker) -> PlannedWorker | None:
        """Place the scalable target of one worker's service, its policies and their alarms.

        Args:
            scope: The construct that the resources belong to.
            worker: The worker whose service scales.

        Returns:
            The input of the scaling planner, or None where the policy needs none.

        Raises:
            ConfigurationError: The source of work does not report what the policy needs, or the policy does not fit the
                worker.
        """

    @staticmethod
    def for_latency(
        *,
        acceptable_latency: Duration | None = None,
        processing_time: Duration | None = None,
        max_downstream_rate: float | None = None,
        min_tasks: int = MIN_TASKS,
        max_tasks: int = MAX_TASKS,
        mode: Mode = "balanced",
        launch_latency: Duration | None = None,
        function: bool = True,
    ) -> "LatencyScaling":
        """Run as many tasks as it takes for messages not to wait longer than you accept.

            Scaling.for_latency(acceptable_latency=Duration.minutes(10), max_tasks=50)

        A function plans once a minute for all such workers of a cluster and stack (see `ScalingPlanner`). It plans by
        work, not by messages: by how long they take, which it measures, and by how many a task handles at once. A burst
        that can be worked off in time adds no task. Out: by all that is missing, at once; what is missing beyond that,
        at once too; the same again after three minutes. In: by what the last minutes did not need, every three minutes;
        half of the tasks after two minutes, a fifth after ten. None is added where messages wait beside tasks that do
        not take them. While the function is silent, the service keeps its tasks, and an alarm is raised.

        Args:
            acceptable_latency: How long a message may wait. A task more takes about 150 s to help; to accept less,
                tasks are kept in reserve, as many as bear a load that doubles: two fifths more for 1 minute.
                `min_tasks` must bear what comes to an idle service. Defaults to 5 minutes.
            processing_time: How long one message takes, until that is measured; without the function, ever. Defaults to
                1 s; required without the function.
            max_downstream_rate: Messages per second that what lies behind the worker can take; no more tasks run than
                that takes. Defaults to the worker's own `max_downstream_rate`, if it has one.
            min_tasks: Tasks that always run; 0 lets the service sleep after three minutes without a message, and the
                first one wakes it within one or two. Defaults to 1.
            max_tasks: Tasks that may run at most. Defaults to 10.
            mode: "cost" lets messages wait for longer, and removes tasks sooner. Defaults to "balanced".
            launch_latency: How long a task takes to start, from the pull of its image to its first message. The longer
                it is, the earlier tasks are added, and the more are kept. Defaults to 40 s, as for an image of some
                400 MB.
            function: False does without it: two alarms do the arithmetic once a minute, in metric math, over what the
                source of work and ECS report free of charge. They measure no work, so `processing_time` is required:
                too long, it costs tasks; too short, some are added only when messages have waited for half of the
                acceptable latency. In: after five minutes that did not need them. With `min_tasks=0` a third alarm
                wakes the service, within about four minutes, or 15 more after six hours without a message. While
                metrics are missing, the service keeps its tasks. Defaults to True.

        Raises:
            ConfigurationError: A value is out of its range. The worker raises it for a latency that its tasks cannot
                keep.
        """
        if not function and processing_time is None:
            raise ConfigurationError(
                "for_latency: without the function nothing measures how long a message takes; say processing_time."
            )
        return LatencyScaling(
            min_tasks=min_tasks,
            max_tasks=max_tasks,
            budget=LatencyBudget(
                acceptable_latency=in_seconds(acceptable_latency, ACCEPTABLE_LATENCY),
                processing_time=PROCESSING_TIME
                if processing_time is None
                else processing_time.to_milliseconds() / 1_000,
                max_downstream_rate=max_downstream_rate,
                mode=mode,
                launch_latency=in_seconds(launch_latency, LAUNCH_LATENCY),
                function=function,
            ),
        )

    @staticmethod
    def on_queue_depth(
        steps: Mapping[int, int] | Sequence[autoscaling.ScalingInterval] | None = None,
        *,
        min_tasks: int = MIN_TASKS,
        max_tasks: int = MAX_TASKS,
    ) -> "DepthScaling":
        """Add tasks in steps of the queue's depth: messages that wait and messages in flight.

            Scaling.on_queue_depth({100: 3, 500: 8}, max_tasks=20)    # from 100 messages on add 3, from 500 on add 8

        Out at once: after one minute, and every minute while the depth stays (60 s cooldown).
        In slowly: after five minutes below the first step, half of the tasks at a time, five minutes apart (300 s
        cooldown), down to `min_tasks`; the last task goes only after ten minutes with nothing waiting or in flight.

        Args:
            steps: Depth in messages -> tasks to add; the step 1: 1 stands for the first message, which wakes one task
                anyway. Or the intervals of `QueueProcessingFargateService`. Defaults to
                {1: 1, 100: 3, 500: 8, 2000: 20}, as far as `max_tasks` lets them.
            min_tasks: Tasks that always run; 0 lets the service sleep. Defaults to 1.
            max_tasks: Tasks that may run at most. Defaults to 10.

        Raises:
            ConfigurationError: Steps overlap, fall, leave a gap, never grow, exceed AWS's 20, or cannot be reached.
        """
        if steps is None:
            wanted: Mapping[int, int] = DEFAULT_STEPS
        else:
            wanted = steps if isinstance(steps, Mapping) else steps_from_intervals(steps)
        # The numbers of tasks are checked first: steps are measured against them.
        bare = DepthScaling(min_tasks=min_tasks, max_tasks=max_tasks, steps=())
        growing = growing_steps(wanted, min_tasks=bare.min_tasks, max_tasks=bare.max_tasks, trim=steps is None)
        return DepthScaling(min_tasks=min_tasks, max_tasks=max_tasks, steps=tuple(growing))

    @staticmethod
    def on_backlog_per_task(
        messages: int, *, min_tasks: int = MIN_TASKS, max_tasks: int = MAX_TASKS
    ) -> "BacklogScaling":
        """Keep about `messages` per running task, waiting or in flight: target tracking.

            Scaling.on_backlog_per_task(100)     # 10 messages at once, 30 s each, at most 300 s old: 300 / 30 * 10

        Out after three minutes above it (60 s cooldown), in after fifteen below it (300 s cooldown): AWS's own rules,
        which cannot be changed.

        Args:
            messages: The age you accept, divided by the time one message takes, times the messages a task handles at
                once.
            min_tasks: Tasks that always run; 0 lets the service sleep. Defaults to 1.
            max_tasks: Tasks that may run at most. Defaults to 10.

        Raises:
            ConfigurationError: `messages` is below 1, which no number of tasks could reach.
        """
        return BacklogScaling(min_tasks=min_tasks, max_tasks=max_tasks, messages=messages)


@dataclass(frozen=True, kw_only=True)
class LatencyScaling(Scaling):
    """`Scaling.for_latency`: by the tasks that a planner, or metric math, finds missing.

    Args:
        budget: What messages may wait, and what is known of their work.
    """

    budget: LatencyBudget

    def planned(
        self, worker: str, *, concurrency: int, max_downstream_rate: float | None = None
    ) -> PlannedWorker | None:
        """The input of the scaling planner, or None without the function.

        Args:
            worker: The worker's qualified name.
            concurrency: Messages that a task handles at once.
            max_downstream_rate: The worker's own limit in messages per second. Defaults to none.

        Raises:
            ConfigurationError: The service may sleep for longer than messages may wait.
        """
        if not self.budget.function:
            return None
        return self.budget.planned(
            worker,
            concurrency=concurrency,
            min_tasks=self.min_tasks,
            max_tasks=self.max_tasks,
            max_downstream_rate=max_downstream_rate,
        )

    def scale(self, scope: Construct, worker: ScaledWorker) -> PlannedWorker | None:
        planned = self.planned(
            worker.name, concurrency=worker.concurrency, max_downstream_rate=worker.max_downstream_rate
        )
        cooldown = until_seen(self.budget.launch_latency)
        if planned is not None:
            # The planner finds the most tasks anew, by the time that it measures.
            target = ScalingTarget(scope, worker, min_tasks=self.min_tasks, max_tasks=self.max_tasks)
            follow_planner(target, planned, cooldown=cooldown, most_busy_tasks=worker.most_busy_tasks)
            return planned
        most_tasks = self.budget.most_tasks(
            worker.name,
            concurrency=worker.concurrency,
            min_tasks=self.min_tasks,
            max_tasks=self.max_tasks,
            max_downstream_rate=worker.max_downstream_rate,
        )
        target = ScalingTarget(scope, worker, min_tasks=self.min_tasks, max_tasks=most_tasks)
        expressions = self.budget.expressions(
            concurrency=worker.concurrency, min_tasks=self.min_tasks, most_tasks=most_tasks
        )
        follow_expressions(target, expressions, sleeps=self.min_tasks == 0, cooldown=cooldown)
        return None


@dataclass(frozen=True, kw_only=True)
class DepthScaling(Scaling):
    """`Scaling.on_queue_depth`: by steps of the messages that wait or are in flight.

    Args:
        steps: Depths, rising, and the tasks that are added from there on.
    """

    steps: tuple[Step, ...]

    def scale(self, scope: Construct, worker: ScaledWorker) -> None:
        target = ScalingTarget(scope, worker, min_tasks=self.min_tasks, max_tasks=self.max_tasks)
        follow_depth(target, self.steps, min_tasks=self.min_tasks, max_tasks=self.max_tasks)


@dataclass(frozen=True, kw_only=True)
class BacklogScaling(Scaling):
    """`Scaling.on_backlog_per_task`: by AWS's target tracking.

    Args:
        messages: Messages per running task to keep.

    Raises:
        ConfigurationError: `messages` is below 1.
    """

    messages: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.messages < 1:
            raise ConfigurationError(
                f"on_backlog_per_task: {self.messages} messages per task cannot be reached; accept 1 or more, "
                "that is an age of at least the time one message takes."
            )

    def scale(self, scope: Construct, worker: ScaledWorker) -> None:
        target = ScalingTarget(scope, worker, min_tasks=self.min_tasks, max_tasks=self.max_tasks)
        follow_backlog(target, self.messages, sleeps=self.min_tasks == 0)
