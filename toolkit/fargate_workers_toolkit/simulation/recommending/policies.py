"""The policies of this project's `Scaling`: as a user writes them, and as the simulator sees what they synthesize."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from fargate_workers_toolkit.semantics.cooldown import Bounds
from fargate_workers_toolkit.semantics.step_scaling import AdjustmentType, Step, StepPolicy
from fargate_workers_toolkit.semantics.target_tracking import TrackingPolicy
from fargate_workers_toolkit.simulation.control.planner import find_code
from fargate_workers_toolkit.simulation.model import Alarm, Metric, PlannerUse, Query, ScaledService, Source, Tracking
from fargate_workers_toolkit.template import Assembly

Mode = Literal["balanced", "cost"]

# The constructs' and the planner's own numbers, which a test holds equal: the toolkit imports neither.
LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 70, 100, 150, 250, 500)
REACTION = 150
DEPTH = "(visible + in_flight)"
RUNNING = "FILL(running, 0)"
LAST_RUNNING = "FILL(running, REPEAT)"
METRICS: Mapping[str, Metric] = {
    "visible": Metric(source="visible"),
    "in_flight": Metric(source="in_flight"),
    "running": Metric(source="running", combination="sum"),
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
        """The service, scaled by this policy alone."""


@dataclass(frozen=True, kw_only=True)
class ForLatency(Policy):
    """`Scaling.for_latency`. Times are in seconds; `processing_time` is the planner's first guess."""

    acceptable_latency: int
    processing_time: float
    min_tasks: int
    max_tasks: int
    mode: Mode

    @property
    def line(self) -> str:
        mode = "" if self.mode == "balanced" else f', mode="{self.mode}"'
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
                "ScaleOut": _step_policy(_climbing(LADDER), cooldown=0),
                "ScaleIn": _step_policy(_descending(LADDER), cooldown=60),
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
        """Whether the construct takes it: to keep less than a reaction takes, tasks must be there already."""
        rate, most = service.task.rate_limit, self.max_tasks
        if rate is not None:
            most = min(most, max(1, math.floor(rate * self.processing_time / service.task.concurrency)))
        return self.min_tasks >= math.ceil(max(0, most * (REACTION - self.acceptable_latency)) / REACTION)

    def _policy(self, service: ScaledService) -> Mapping[str, Any]:
        policy = {
            "acceptable_latency": self.acceptable_latency,
            "processing_time": self.processing_time,
            "concurrency": service.task.concurrency,
            "min_tasks": self.min_tasks,
            "max_tasks": self.max_tasks,
            "mode": self.mode,
        }
        rate = service.task.rate_limit
        return policy if rate is None else {**policy, "max_downstream_rate": rate}


@dataclass(frozen=True, kw_only=True)
class OnQueueDepth(Policy):
    """`Scaling.on_queue_depth`, with one task at least. `steps`: depths, rising, and the tasks they add."""

    steps: Sequence[tuple[int, int]]
    min_tasks: int
    max_tasks: int

    @property
    def line(self) -> str:
        steps = ", ".join(f"{depth}: {add}" for depth, add in self.steps)
        return f"Scaling.on_queue_depth({{{steps}}}, min_tasks={self.min_tasks}, max_tasks={self.max_tasks})"

    def applied(self, service: ScaledService) -> ScaledService:
        first = self.steps[0][0]
        ends = [*(depth - first for depth, _ in self.steps[1:]), math.inf]
        growing = [
            Step(adjustment=add, lower=depth - first, upper=end)
            for (depth, add), end in zip(self.steps, ends, strict=True)
        ]
        surplus = f"IF({DEPTH} <= {first - 1}, {LAST_RUNNING} > {self.min_tasks}, 0)"
        return _scaled(
            service,
            Bounds(self.min_tasks, self.max_tasks),
            steps={
                "ScaleOut": _step_policy(growing, cooldown=60),
                "ScaleIn": _step_policy(
                    [Step(adjustment=-50, lower=0)], adjustment_type="PercentChangeInCapacity", cooldown=300
                ),
            },
            alarms=[
                _alarm("ScaleOut", _calculated(DEPTH), threshold=first),
                _alarm("ScaleIn", _calculated(surplus), threshold=1, minutes=5),
            ],
        )


@dataclass(frozen=True, kw_only=True)
class OnBacklogPerTask(Policy):
    """`Scaling.on_backlog_per_task`, with one task at least."""

    messages: int
    min_tasks: int
    max_tasks: int

    @property
    def line(self) -> str:
        return f"Scaling.on_backlog_per_task({self.messages}, min_tasks={self.min_tasks}, max_tasks={self.max_tasks})"

    def applied(self, service: ScaledService) -> ScaledService:
        backlog = _calculated(f"IF({DEPTH} >= 0, {DEPTH} / IF({RUNNING} < 1, 1, {RUNNING}), 0)")
        policy = TrackingPolicy(target=self.messages, scale_out_cooldown=60, scale_in_cooldown=300)
        return _scaled(
            service,
            Bounds(self.min_tasks, self.max_tasks),
            tracking=[Tracking(name="BacklogPerTask", policy=policy, query=backlog)],
        )


@dataclass(frozen=True, kw_only=True)
class Warm(Policy):
    """So many tasks, always. `limited`: by the rate that the worker keeps to."""

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
    """What the template says."""

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
    steps: Sequence[Step], *, cooldown: float, adjustment_type: AdjustmentType = "ChangeInCapacity"
) -> StepPolicy:
    return StepPolicy(adjustment_type=adjustment_type, steps=steps, cooldown=cooldown, aggregation="Maximum")


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


def _climbing(ladder: Sequence[int]) -> list[Step]:
    """For a gap that alarms at 1: the largest step that fits."""
    rungs = [Step(adjustment=step, lower=step - 1, upper=following - 1) for step, following in pairwise(ladder)]
    return [*rungs, Step(adjustment=ladder[-1], lower=ladder[-1] - 1)]


def _descending(ladder: Sequence[int]) -> list[Step]:
    """The same for a surplus that alarms at -1."""
    return [Step(adjustment=-step.adjustment, lower=-step.upper, upper=-step.lower) for step in _climbing(ladder)]


def _duration(seconds: float) -> str:
    if seconds % 60 == 0:
        return f"Duration.minutes({seconds // 60:.0f})"
    return f"Duration.seconds({seconds:.0f})" if seconds % 1 == 0 else f"Duration.millis({1000 * seconds:.0f})"
