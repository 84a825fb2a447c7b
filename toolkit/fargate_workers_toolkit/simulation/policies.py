"""The policies of this project's `Scaling`: as a user writes them, and as the simulator sees what they synthesize."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fargate_workers_planner.arithmetic import DECISION, LAUNCH_LATENCY, Mode
from fargate_workers_planner.metric_math import (
    ASLEEP,
    BACKLOG_PER_TASK,
    DEPTH,
    LAST_RUNNING,
    Expressions,
    latency_expressions,
    most_tasks,
)
from fargate_workers_planner.steps import (
    ASLEEP_MINUTES,
    ONCE,
    QUIET_MINUTES,
    SCALE_IN_COOLDOWN,
    SCALE_OUT_COOLDOWN,
    SPARE_MINUTES,
    Adjustment,
    adjustments,
    climbing,
    descending,
    until_seen,
)
from fargate_workers_toolkit.aws_behaviour import AdjustmentType, Bounds, Step, StepPolicy, TrackingPolicy
from fargate_workers_toolkit.simulation.control import find_code
from fargate_workers_toolkit.simulation.model import (
    Alarm,
    KedaRule,
    Metric,
    PlannerUse,
    Query,
    ScaledService,
    Source,
    Tracking,
)
from fargate_workers_toolkit.templates import Assembly

METRICS: Mapping[str, Metric] = {
    "visible": Metric(source="visible"),
    "in_flight": Metric(source="in_flight"),
    "received": Metric(source="received", combination="sum"),
    "running": Metric(source="running", combination="sum"),
}

# Of `for_latency(function=False)`, in addition.
MATH_METRICS: Mapping[str, Metric] = {
    "deleted": Metric(source="deleted", combination="sum"),
    "in_flight": METRICS["in_flight"],
    "oldest": Metric(source="oldest_age"),
    "received": Metric(source="received", combination="sum"),
    "running": METRICS["running"],
    "sent": Metric(source="sent", combination="sum"),
    "visible": METRICS["visible"],
}


@dataclass(frozen=True)
class Policy(ABC):
    """A way to scale a service."""

    @property
    @abstractmethod
    def line(self) -> str:
        """The Python that asks for it, or what else to call it."""

    @abstractmethod
    def applied(self, service: ScaledService) -> ScaledService:
        """The service, scaled by this policy alone.

        Args:
            service: The service.
        """


@dataclass(frozen=True, kw_only=True)
class ForLatency(Policy):
    """`Scaling.for_latency`.

    Args:
        acceptable_latency: In seconds.
        processing_time: The planner's first guess, in seconds.
        min_tasks: The fewest tasks.
        max_tasks: The most tasks.
        mode: `cost` lets messages wait for longer and removes tasks sooner than `balanced`.
        launch_latency: Seconds from a task's launch until it works. Defaults to the construct's default.
    """

    acceptable_latency: int
    processing_time: float
    min_tasks: int
    max_tasks: int
    mode: Mode
    launch_latency: int = LAUNCH_LATENCY

    @property
    def line(self) -> str:
        mode = "" if self.mode == "balanced" else f', mode="{self.mode}"'
        if self.launch_latency != LAUNCH_LATENCY:
            mode += f", launch_latency={_duration(self.launch_latency)}"
        return (
            f"Scaling.for_latency(acceptable_latency={_duration(self.acceptable_latency)}, "
            f"processing_time={_duration(self.processing_time)}, "
            f"min_tasks={self.min_tasks}, max_tasks={self.max_tasks}{mode})"
        )

    def applied(self, service: ScaledService) -> ScaledService:
        use = service.planner
        code = find_code(Path(), Assembly(stacks=())) if use is None else use.code
        return _scaled(
            service,
            Bounds(self.min_tasks, self.max_tasks),
            steps={
                "ScaleOut": _step_policy(climbing(), cooldown=until_seen(self.launch_latency)),
                "ScaleIn": _step_policy(descending(), cooldown=ONCE),
            },
            alarms=[
                _alarm("ScaleOut", _published("capacity_gap"), threshold=1),
                _alarm("ScaleIn", _published("capacity_gap_in"), threshold=-1, comparison="LessThanOrEqualToThreshold"),
            ],
            planner=PlannerUse(
                worker=service.name if use is None else use.worker, policy=self._policy(service), code=code
            ),
        )

    def fits(self, service: ScaledService) -> bool:
        """Whether the construct takes it: a service that sleeps wakes within a reaction, and no sooner.

        Args:
            service: The service.
        """
        del service
        return self.min_tasks > 0 or self.acceptable_latency >= DECISION + self.launch_latency

    def _policy(self, service: ScaledService) -> Mapping[str, Any]:
        policy = {
            "acceptable_latency": self.acceptable_latency,
            "processing_time": self.processing_time,
            "concurrency": service.task.concurrency,
            "min_tasks": self.min_tasks,
            "max_tasks": self.max_tasks,
            "mode": self.mode,
        }
        if self.launch_latency != LAUNCH_LATENCY:
            policy["launch_latency"] = self.launch_latency
        rate = service.task.rate_limit
        return policy if rate is None else {**policy, "max_downstream_rate": rate}


@dataclass(frozen=True, kw_only=True)
class OnQueueDepth(Policy):
    """`Scaling.on_queue_depth`, with one task at least.

    Args:
        steps: Depths, rising, and the tasks they add.
        min_tasks: The fewest tasks.
        max_tasks: The most tasks.
    """

    steps: Sequence[tuple[int, int]]
    min_tasks: int
    max_tasks: int

    @property
    def line(self) -> str:
        steps = ", ".join(f"{depth}: {add}" for depth, add in self.steps)
        return f"Scaling.on_queue_depth({{{steps}}}, min_tasks={self.min_tasks}, max_tasks={self.max_tasks})"

    def applied(self, service: ScaledService) -> ScaledService:
        first = self.steps[0][0]
        surplus = f"IF({DEPTH} <= {first - 1}, {LAST_RUNNING} > {self.min_tasks}, 0)"
        return _scaled(
            service,
            Bounds(self.min_tasks, self.max_tasks),
            steps={
                "ScaleOut": _step_policy(adjustments(self.steps), cooldown=SCALE_OUT_COOLDOWN),
                "ScaleIn": _step_policy(
                    [Adjustment(lower=0, upper=None, change=-50)],
                    adjustment_type="PercentChangeInCapacity",
                    cooldown=SCALE_IN_COOLDOWN,
                ),
            },
            alarms=[
                _alarm("ScaleOut", _calculated(DEPTH), threshold=first),
                _alarm("ScaleIn", _calculated(surplus), threshold=1, minutes=QUIET_MINUTES),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class OnBacklogPerTask(Policy):
    """`Scaling.on_backlog_per_task`, with one task at least.

    Args:
        messages: The messages that each task may have waiting.
        min_tasks: The fewest tasks.
        max_tasks: The most tasks.
    """

    messages: int
    min_tasks: int
    max_tasks: int

    @property
    def line(self) -> str:
        return f"Scaling.on_backlog_per_task({self.messages}, min_tasks={self.min_tasks}, max_tasks={self.max_tasks})"

    def applied(self, service: ScaledService) -> ScaledService:
        backlog = _calculated(BACKLOG_PER_TASK)
        policy = TrackingPolicy(
            target=self.messages, scale_out_cooldown=SCALE_OUT_COOLDOWN, scale_in_cooldown=SCALE_IN_COOLDOWN
        )
        return _scaled(
            service,
            Bounds(self.min_tasks, self.max_tasks),
            tracking=[Tracking(name="BacklogPerTask", policy=policy, query=backlog)],
        )


@dataclass(frozen=True, kw_only=True)
class ForLatencyInMath(ForLatency):
    """`Scaling.for_latency(function=False)`.

    Args:
        acceptable_latency: In seconds.
        processing_time: In seconds; it is never measured.
        min_tasks: The fewest tasks.
        max_tasks: The most tasks.
        mode: `cost` lets messages wait for longer and removes tasks sooner than `balanced`.
        launch_latency: Seconds from a task's launch until it works. Defaults to the construct's default.
    """

    @property
    def line(self) -> str:
        return super().line.removesuffix(")") + ", function=False)"

    def applied(self, service: ScaledService) -> ScaledService:
        most = most_tasks(
            processing_time=self.processing_time,
            concurrency=service.task.concurrency,
            min_tasks=self.min_tasks,
            max_tasks=self.max_tasks,
            max_downstream_rate=service.task.rate_limit,
        )
        expressions = latency_expressions(
            acceptable_latency=self.acceptable_latency,
            processing_time=self.processing_time,
            concurrency=service.task.concurrency,
            min_tasks=self.min_tasks,
            most_tasks=most,
            mode=self.mode,
            launch_latency=self.launch_latency,
        )
        adding, removing = climbing(), [replace(step, change=-step.change) for step in climbing()]
        seen = until_seen(self.launch_latency)
        steps = {
            "ScaleOut": _step_policy(adding, cooldown=seen),
            "ScaleIn": replace(_step_policy(removing, cooldown=ONCE), aggregation="Minimum"),
        }
        alarms = [
            _alarm("ScaleOut", _expressions_query(expressions.scale_out), threshold=1),
            _alarm("ScaleIn", _expressions_query(expressions.scale_in), threshold=1, minutes=SPARE_MINUTES),
        ]
        if self.min_tasks == 0:
            steps["WakeUp"] = _step_policy(adding, cooldown=seen)
            alarms.append(
                _alarm("WakeUp", _expressions_query(expressions.wake_up), threshold=1, minutes=ASLEEP_MINUTES)
            )
        return _scaled(service, Bounds(self.min_tasks, most), steps=steps, alarms=alarms)

    def fits(self, service: ScaledService) -> bool:
        """Whether the construct takes it: a service that sleeps also needs its time to wake.

        Args:
            service: The service.
        """
        return super().fits(service) and (self.min_tasks > 0 or self.acceptable_latency >= ASLEEP + self.launch_latency)


def _expressions_query(expressions: Expressions) -> Query:
    text = " ".join(expressions.values())
    used = {name: metric for name, metric in MATH_METRICS.items() if re.search(rf"\b{name}\b", text)}
    return Query(metrics=used, expressions=list(expressions.items()))


@dataclass(frozen=True, kw_only=True)
class Keda(Policy):
    """Pods on Kubernetes that KEDA scales, as `fargate-workers export keda` writes them.

    Args:
        queue_length: Messages for each pod.
        min_tasks: The fewest pods.
        max_tasks: The most pods.
        grace: Seconds from SIGTERM to SIGKILL, which Kubernetes does not limit.
    """

    queue_length: int
    min_tasks: int
    max_tasks: int
    grace: int

    @property
    def line(self) -> str:
        return f"KEDA(queue_length={self.queue_length}, min_tasks={self.min_tasks}, max_tasks={self.max_tasks})"

    def applied(self, service: ScaledService) -> ScaledService:
        # ECS's protection has no equal; the time to finish takes its place.
        task = replace(service.task, protected=False, stop_timeout=self.grace, spot_from=None)
        scaled = _scaled(service, Bounds(self.min_tasks, self.max_tasks))
        return replace(scaled, task=task, keda=KedaRule(queue_length=self.queue_length))


@dataclass(frozen=True, kw_only=True)
class Warm(Policy):
    """A fixed number of tasks that always run.

    Args:
        tasks: The number of tasks.
        limited: Whether they keep to the worker's rate limit. Defaults to True.
    """

    tasks: int
    limited: bool = True

    @property
    def line(self) -> str:
        return f"{self.tasks} tasks that always run"

    def applied(self, service: ScaledService) -> ScaledService:
        task = service.task if self.limited else replace(service.task, rate_limit=None)
        return replace(_scaled(service, Bounds(self.tasks, self.tasks)), task=task)


@dataclass(frozen=True, kw_only=True)
class Present(Policy):
    """The template's own policy."""

    @property
    def line(self) -> str:
        return "the template's own policy"

    def applied(self, service: ScaledService) -> ScaledService:
        return service


def _scaled(
    service: ScaledService,
    bounds: Bounds,
    *,
    steps: Mapping[str, StepPolicy] | None = None,
    alarms: Sequence[Alarm] = (),
    tracking: Sequence[Tracking] = (),
    planner: PlannerUse | None = None,
) -> ScaledService:
    return replace(
        service,
        bounds=bounds,
        initial_tasks=bounds.clamp(service.initial_tasks),
        steps=steps or {},
        alarms=list(alarms),
        tracking=list(tracking),
        scheduled=[],
        planner=planner,
    )


def _step_policy(
    steps: Sequence[Adjustment], *, cooldown: float, adjustment_type: AdjustmentType = "ChangeInCapacity"
) -> StepPolicy:
    return StepPolicy(adjustment_type=adjustment_type, steps=_steps(steps), cooldown=cooldown, aggregation="Maximum")


def _alarm(
    policy: str, query: Query, *, threshold: int, comparison: str = "GreaterThanOrEqualToThreshold", minutes: int = 1
) -> Alarm:
    return Alarm(
        name=f"{policy}Alarm",
        query=query,
        comparison=comparison,
        threshold=threshold,
        evaluation_periods=minutes,
        datapoints_to_alarm=minutes,
        missing_data="notBreaching",
        policies=[policy],
    )


def _published(source: Source) -> Query:
    return Query(metrics={"metric": Metric(source=source)})


def _calculated(expression: str) -> Query:
    used = {name: metric for name, metric in METRICS.items() if name in expression}
    return Query(metrics=used, expressions=[("result", expression)])


def _steps(adjustments: Sequence[Adjustment]) -> list[Step]:
    """The steps of adjustments; a bound of None is no bound."""
    return [
        Step(
            adjustment=each.change,
            lower=-math.inf if each.lower is None else each.lower,
            upper=math.inf if each.upper is None else each.upper,
        )
        for each in adjustments
    ]


def _duration(seconds: float) -> str:
    if seconds % 60 == 0:
        return f"Duration.minutes({seconds // 60:.0f})"
    return f"Duration.seconds({seconds:.0f})" if seconds % 1 == 0 else f"Duration.millis({1000 * seconds:.0f})"
