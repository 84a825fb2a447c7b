"""How a queue worker's service follows its queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from aws_cdk import Duration
from aws_cdk import aws_applicationautoscaling as autoscaling
from constructs import Construct

from fargate_workers._scaling_target import ScalingTarget
from fargate_workers._timing import in_seconds
from fargate_workers.alarm_definition import Metric
from fargate_workers.latency_budget import (
    ACCEPTABLE_LATENCY,
    LADDER,
    PROCESSING_TIME,
    LatencyBudget,
    Mode,
    PlannedWorker,
)
from fargate_workers.latency_expressions import LatencyExpressions, latency_expressions
from fargate_workers.scaling_planner import NAMESPACE
from fargate_workers.step_scaling import (
    Adjustment,
    Step,
    adjustments,
    climbing,
    descending,
    growing_steps,
    halving,
    steps_from_intervals,
)

DEFAULT_STEPS: Mapping[int, int] = {1: 1, 100: 2, 500: 5, 2_000: 10}

# Depth is what waits plus what is being worked on: without the latter, a busy service looks idle and is scaled in
# (https://github.com/aws/aws-cdk/issues/20706).
DEPTH = "(visible + in_flight)"
# A task that runs reports its CPU once a minute. A service without tasks reports nothing at all, which means 0.
RUNNING = "FILL(running, 0)"
# Where 0 would hold scaling in up: ECS may always be a minute later than SQS, and FILL answers for its newest minute.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
LAST_RUNNING = "FILL(running, REPEAT)"

# Two, because ECS may report a minute after SQS: in the newest minute alone a busy service could look asleep.
_ASLEEP_MINUTES = 2
_QUIET_MINUTES = 5
_EMPTY_MINUTES = 10
_SCALE_OUT_COOLDOWN = 60
_SCALE_IN_COOLDOWN = 300
# A gap is one between tasks planned and desired, so that those on their way are counted: nothing must be waited for.
_PLANNED_OUT_COOLDOWN = 0
_PLANNED_IN_COOLDOWN = 60
# Without a planner a gap is one between tasks needed and running, and what was ordered shows there three minutes later.
# Until then only the rest of a larger gap is added, and nothing removed.
_UNTIL_SEEN = 180
_SPARE_MINUTES = 5


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Between how many tasks a service scales, and by what. Made by one of the methods below.

    By depth or backlog, a service with `min_tasks=0` is woken by the first message: one task is started when
    CloudWatch has reported it for two minutes, within two or three. A queue that nobody has touched for six hours
    reports up to 15 minutes late. Silence of a metric never scales in.
    """

    min_tasks: int
    max_tasks: int
    steps: tuple[Step, ...] = ()
    backlog_per_task: int | None = None
    latency_budget: LatencyBudget | None = None

    @staticmethod
    def for_latency(
        *,
        acceptable_latency: Duration | None = None,
        processing_time: Duration | None = None,
        max_downstream_rate: float | None = None,
        min_tasks: int = 1,
        max_tasks: int = 10,
        mode: Mode = "balanced",
        function: bool = True,
    ) -> "Scaling":
        """Run as many tasks as it takes for messages not to wait longer than you accept.

            Scaling.for_latency(acceptable_latency=Duration.minutes(10), max_tasks=50)

        A function plans once a minute for all such workers of a cluster and stack (see `ScalingPlanner`). It plans by
        work, not by messages: by how long they take, which it measures, and by how many a task handles at once, which
        the worker says. A burst that can be worked off in time adds no task. Out: by all that is missing, every minute.
        In: by what the last minutes did not need, every minute (60 s cooldown); half of the tasks after five minutes, a
        tenth after twenty-five. While the function is silent, the service keeps its tasks, and an alarm says so.

        acceptable_latency: How long a message may wait. A task more takes about 150 s to help; to accept less,
            `min_tasks` must bear the beginning of a burst, and how many that takes is said at synthesis. Default:
            5 minutes.
        processing_time: How long one message takes, until that has been measured; without the function, ever. Default:
            1 s; none without the function.
        max_downstream_rate: Messages per second that what lies behind the worker can take; no more tasks are run than
            that takes. Default: the worker's own `max_downstream_rate`, if it has one.
        min_tasks: 0 lets the service sleep after three minutes without a message; the first one wakes it within one or
            two. Default: 1.
        max_tasks: Default: 10.
        mode: "cost" keeps no tasks in reserve, and adds some only when messages have waited for half of the acceptable
            latency instead of a fifth. Default: "balanced".
        function: False does without it: two alarms do the arithmetic once a minute, in metric math, over what SQS and
            ECS report free of charge. They measure no work, so `processing_time` must be said: said too long, it costs
            tasks; said too short, some are added only when messages have waited for half of the acceptable latency.
            In: after five minutes that did not need them. With `min_tasks=0` a third alarm wakes the service, within
            about four minutes, or 15 more after six hours without a message. While metrics are missing, the service
            keeps its tasks. Default: True.

        Raises ValueError for values that make no sense; the worker does for a latency that its tasks cannot keep.
        """
        _check_tasks(min_tasks, max_tasks)
        if not function and processing_time is None:
            raise ValueError(
                "for_latency: without the function nothing measures how long a message takes; say processing_time."
            )
        return Scaling(
            min_tasks=min_tasks,
            max_tasks=max_tasks,
            latency_budget=LatencyBudget(
                acceptable_latency=in_seconds(acceptable_latency, ACCEPTABLE_LATENCY),
                processing_time=PROCESSING_TIME
                if processing_time is None
                else processing_time.to_milliseconds() / 1_000,
                max_downstream_rate=max_downstream_rate,
                mode=mode,
                function=function,
            ),
        )

    @staticmethod
    def on_queue_depth(
        steps: Mapping[int, int] | Sequence[autoscaling.ScalingInterval] | None = None,
        *,
        min_tasks: int = 1,
        max_tasks: int = 10,
    ) -> "Scaling":
        """Add tasks in steps of the queue's depth: messages that wait and messages in flight.

            Scaling.on_queue_depth({100: 2, 500: 5}, max_tasks=20)    # from 100 messages on add 2, from 500 on add 5

        Out at once: after one minute, and every minute while the depth stays (60 s cooldown).
        In slowly: after five minutes below the first step, half of the tasks at a time, five minutes apart (300 s
        cooldown), down to `min_tasks`; the last task goes only after ten minutes with nothing waiting or in flight.

        steps: Depth -> tasks to add; a 1: 1 says that the first message wakes one task, which it does anyway. Or the
            intervals of `QueueProcessingFargateService`. Default: {1: 1, 100: 2, 500: 5, 2000: 10}, as far as
            `max_tasks` lets them.
        min_tasks: Default: 1.
        max_tasks: Default: 10.

        Raises ValueError for steps that overlap, fall, leave a gap, never grow, exceed AWS's 20, or cannot be reached.
        """
        _check_tasks(min_tasks, max_tasks)
        if steps is None:
            wanted: Mapping[int, int] = DEFAULT_STEPS
        else:
            wanted = steps if isinstance(steps, Mapping) else steps_from_intervals(steps)
        growing = growing_steps(wanted, min_tasks=min_tasks, max_tasks=max_tasks, trim=steps is None)
        return Scaling(min_tasks=min_tasks, max_tasks=max_tasks, steps=tuple(growing))

    @staticmethod
    def on_backlog_per_task(messages: int, *, min_tasks: int = 1, max_tasks: int = 10) -> "Scaling":
        """Keep about `messages` per running task, waiting or in flight: target tracking.

            Scaling.on_backlog_per_task(100)     # 10 messages at once, 30 s each, at most 300 s old: 300 / 30 * 10

        `messages` is the age you accept, divided by the time one message takes, times the messages a task handles at
        once. Out after three minutes above it (60 s cooldown), in after fifteen below it (300 s cooldown): AWS's own
        rules, which cannot be changed.

        min_tasks: Default: 1.
        max_tasks: Default: 10.

        Raises ValueError when `messages` is below 1: no number of tasks could reach that.
        """
        _check_tasks(min_tasks, max_tasks)
        if messages < 1:
            raise ValueError(
                f"on_backlog_per_task: {messages} messages per task cannot be reached; accept 1 or more, "
                "that is an age of at least the time one message takes."
            )
        return Scaling(min_tasks=min_tasks, max_tasks=max_tasks, backlog_per_task=messages)

    def planned(
        self, worker: str, *, concurrency: int, max_downstream_rate: float | None = None
    ) -> PlannedWorker | None:
        """What a planner has to know of a worker with these options; None where no planner is needed."""
        if self.latency_budget is None or not self.latency_budget.function:
            return None
        return self.latency_budget.planned(
            worker,
            concurrency=concurrency,
            min_tasks=self.min_tasks,
            max_tasks=self.max_tasks,
            max_downstream_rate=max_downstream_rate,
        )

    def scale(
        self,
        scope: Construct,
        *,
        cluster_name: str,
        service_name: str,
        queue_name: str,
        worker: str,
        concurrency: int,
        max_downstream_rate: float | None = None,
    ) -> PlannedWorker | None:
        """Place what scales the service of one worker: its scalable target, policies and alarms.

        Returns what a planner has to be told, as `planned` does.
        """
        planned = self.planned(worker, concurrency=concurrency, max_downstream_rate=max_downstream_rate)
        budget, most_tasks = self.latency_budget, self.max_tasks
        if budget is not None and not budget.function:
            most_tasks = budget.most_tasks(
                worker,
                concurrency=concurrency,
                min_tasks=self.min_tasks,
                max_tasks=self.max_tasks,
                max_downstream_rate=max_downstream_rate,
            )
        target = ScalingTarget(
            scope,
            cluster_name=cluster_name,
            service_name=service_name,
            queue_name=queue_name,
            min_tasks=self.min_tasks,
            max_tasks=most_tasks,
        )
        if planned is not None:
            _follow_planner(target, planned)
        elif budget is not None:
            expressions = latency_expressions(
                budget, concurrency=concurrency, min_tasks=self.min_tasks, most_tasks=most_tasks
            )
            _follow_expressions(target, expressions, sleeps=self.min_tasks == 0)
        else:
            self._follow_queue(target)
        return planned

    def _follow_queue(self, target: ScalingTarget) -> None:
        if self.min_tasks == 0:
            self._wake(target)
        if self.backlog_per_task is not None:
            target.track(
                "BacklogPerTask",
                # One task at least, so that a service without tasks has a backlog and can be woken.
                # And no value in a minute that SQS has not reported: arithmetic would take what is missing for 0.
                f"IF({DEPTH} >= 0, {DEPTH} / IF({RUNNING} < 1, 1, {RUNNING}), 0)",
                goal=self.backlog_per_task,
                scale_out_cooldown=_SCALE_OUT_COOLDOWN,
                scale_in_cooldown=_SCALE_IN_COOLDOWN,
            )
            return
        if self.steps:
            target.step(
                "ScaleOut",
                DEPTH,
                threshold=self.steps[0][0],
                minutes=1,
                kind="ChangeInCapacity",
                adjustments=adjustments(self.steps),
                cooldown=_SCALE_OUT_COOLDOWN,
            )
            self._shrink(target)
        if self.min_tasks == 0:
            self._sleep(target)

    def _wake(self, target: ScalingTarget) -> None:
        """One task for the first messages. Deeper queues are left to the policy that adds tasks: this one sets 1."""
        deepest = self._deepest_quiet
        shallow = "" if deepest is None else f" AND {DEPTH} <= {deepest}"
        target.step(
            "WakeUp",
            f"IF({DEPTH} >= 1{shallow}, {RUNNING} < 1, 0)",
            threshold=1,
            minutes=_ASLEEP_MINUTES,
            kind="ExactCapacity",
            adjustments=[Adjustment(lower=0, upper=None, change=1)],
            cooldown=_SCALE_OUT_COOLDOWN,
        )

    def _shrink(self, target: ScalingTarget) -> None:
        least = max(self.min_tasks, 1)
        quiet = f"{DEPTH} <= {self._deepest_quiet}"
        if self.min_tasks >= 1:
            target.step(
                "ScaleIn",
                f"IF({quiet}, {LAST_RUNNING} > {least}, 0)",
                threshold=1,
                minutes=_QUIET_MINUTES,
                kind="PercentChangeInCapacity",
                adjustments=[Adjustment(lower=0, upper=None, change=-50)],
                cooldown=_SCALE_IN_COOLDOWN,
            )
        else:
            target.step(
                "ScaleIn",
                f"IF({quiet}, {LAST_RUNNING}, 0)",
                threshold=2,
                minutes=_QUIET_MINUTES,
                kind="ExactCapacity",
                adjustments=adjustments(halving(self.max_tasks)),
                cooldown=_SCALE_IN_COOLDOWN,
            )

    def _sleep(self, target: ScalingTarget) -> None:
        target.step(
            "Sleep",
            f"IF({DEPTH} < 1, {LAST_RUNNING} > 0, 0)",
            threshold=1,
            minutes=_EMPTY_MINUTES,
            kind="ExactCapacity",
            adjustments=[Adjustment(lower=0, upper=None, change=0)],
            cooldown=_SCALE_IN_COOLDOWN,
        )

    @property
    def _deepest_quiet(self) -> int | None:
        """The greatest depth at which nothing asks for more tasks; None when nothing ever does."""
        if self.backlog_per_task is not None:
            return self.backlog_per_task
        return self.steps[0][0] - 1 if self.steps else None


def _follow_planner(target: ScalingTarget, planned: PlannedWorker) -> None:
    # By this, what reads the template knows whose plans the policies follow.
    metadata: Mapping[str, Any] = {"planner": {"worker": planned.worker, "policy": planned.policy}}
    for name, metric, threshold, steps, cooldown in (
        ("ScaleOut", "CapacityGap", 1, climbing(LADDER), _PLANNED_OUT_COOLDOWN),
        ("ScaleIn", "CapacityGapIn", -1, descending(LADDER), _PLANNED_IN_COOLDOWN),
    ):
        target.follow(
            name,
            Metric(namespace=NAMESPACE, name=metric, dimensions={"Worker": planned.worker}),
            threshold=threshold,
            adjustments=steps,
            cooldown=cooldown,
            metadata=metadata,
        )


def _follow_expressions(target: ScalingTarget, expressions: LatencyExpressions, *, sleeps: bool) -> None:
    adding = climbing(LADDER)
    removing = [replace(step, change=-step.change) for step in adding]
    step = partial(target.step, threshold=1, kind="ChangeInCapacity", cooldown=_UNTIL_SEEN)
    step("ScaleOut", expressions.scale_out, minutes=1, adjustments=adding)
    # What every minute could spare, and no more.
    step("ScaleIn", expressions.scale_in, minutes=_SPARE_MINUTES, adjustments=removing, aggregation="Minimum")
    if sleeps:
        step("WakeUp", expressions.wake_up, minutes=_ASLEEP_MINUTES, adjustments=adding)


def _check_tasks(min_tasks: int, max_tasks: int) -> None:
    if min_tasks < 0:
        raise ValueError(f"min_tasks is {min_tasks}; use 0 or more.")
    if max_tasks < max(min_tasks, 1):
        raise ValueError(f"max_tasks ({max_tasks}) must be at least 1 and not below min_tasks ({min_tasks}).")
