"""Services made without a template: those that never scale, and those that follow somebody's policy."""

from collections.abc import Mapping
from dataclasses import replace

from fargate_workers_planner import arithmetic
from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.aws_behaviour.step_scaling import Step, StepPolicy
from fargate_workers_toolkit.aws_behaviour.target_tracking import TrackingPolicy
from fargate_workers_toolkit.simulation.model import (
    Alarm,
    Metric,
    Query,
    Queue,
    ScaledService,
    Source,
    Task,
    Tracking,
)
from fargate_workers_toolkit.simulation.policies import LAUNCH_LATENCY, ForLatency


def query(source: Source, *, minutes: int = 1) -> Query:
    return Query(metrics={"metric": Metric(source=source, minutes=minutes)})


def fixed(tasks: int, *, queue: Queue | None = None, task: Task | None = None) -> ScaledService:
    """A service that never scales."""
    return ScaledService(
        name="Fixed",
        bounds=Bounds(tasks, tasks),
        initial_tasks=tasks,
        queue=queue or Queue(),
        task=task or Task(),
        steps={},
    )


def article(
    *,
    steps: Mapping[int, int] | None = None,
    cooldowns: tuple[float, float] = (60, 600),
    bounds: tuple[int, int] = (1, 50),
    minutes: int = 1,
    queue: Queue | None = None,
    task: Task | None = None,
) -> ScaledService:
    """The classic: out in steps of visible messages, in by one when there are none."""
    depths = steps or {100: 2, 500: 5, 2000: 10}
    lowest = min(depths)
    ends = [*list(depths)[1:], None]
    growing = [
        Step(adjustment=change, lower=depth - lowest, upper=float("inf") if end is None else end - lowest)
        for (depth, change), end in zip(depths.items(), ends, strict=True)
    ]
    return ScaledService(
        name="Article",
        bounds=Bounds(*bounds),
        initial_tasks=5,
        queue=queue or Queue(),
        task=task or Task(),
        steps={
            "Out": StepPolicy(adjustment_type="ChangeInCapacity", steps=growing, cooldown=cooldowns[0]),
            "In": StepPolicy(
                adjustment_type="ChangeInCapacity", steps=[Step(adjustment=-1, upper=0)], cooldown=cooldowns[1]
            ),
        },
        alarms=[
            Alarm(
                name="Deep",
                query=query("visible", minutes=minutes),
                comparison="GreaterThanOrEqualToThreshold",
                threshold=lowest,
                policies=["Out"],
            ),
            Alarm(
                name="Empty",
                query=query("visible", minutes=minutes),
                comparison="LessThanOrEqualToThreshold",
                threshold=0,
                policies=["In"],
            ),
        ],
    )


def on_depth(
    depth: int, *, out_tasks: int, in_percent: int, cooldowns: tuple[float, float], queue: Queue
) -> ScaledService:
    """Out by so many tasks from `depth` visible messages on, three and ten times as many at such multiples of it; in
    by so many percent when there are none.
    """
    service = article(
        steps={depth: out_tasks, 3 * depth: 3 * out_tasks, 10 * depth: 10 * out_tasks}, cooldowns=cooldowns, queue=queue
    )
    shrinking = StepPolicy(
        adjustment_type="PercentChangeInCapacity", steps=[Step(adjustment=-in_percent, upper=0)], cooldown=cooldowns[1]
    )
    return replace(service, steps={**service.steps, "In": shrinking})


def tracking(target: float, *, expression: str | None = None, bounds: tuple[int, int] = (1, 50)) -> ScaledService:
    """Target tracking of the backlog per task, or of an expression over visible and running."""
    metrics = {"visible": Metric(source="visible"), "running": Metric(source="running")}
    return ScaledService(
        name="Tracking",
        bounds=Bounds(*bounds),
        initial_tasks=bounds[0],
        steps={},
        tracking=[
            Tracking(
                name="Backlog",
                policy=TrackingPolicy(target=target, scale_out_cooldown=60, scale_in_cooldown=120),
                query=Query(metrics=metrics, expressions=[("result", expression or "visible / running")]),
            )
        ],
    )


def for_latency(
    *,
    acceptable_latency: int = 300,
    processing_time: float = 0.5,
    min_tasks: int = 1,
    mode: arithmetic.Mode = "balanced",
    launch_latency: int | None = None,
    queue: Queue,
    task: Task | None = None,
) -> ScaledService:
    """This project's own, by the planner's arithmetic as it is deployed."""
    policy = ForLatency(
        acceptable_latency=acceptable_latency,
        processing_time=processing_time,
        min_tasks=min_tasks,
        max_tasks=50,
        mode=mode,
        launch_latency=LAUNCH_LATENCY if launch_latency is None else launch_latency,
    )
    return replace(policy.applied(fixed(5, queue=queue, task=task or Task(protected=True))), name="Orders")
