"""Services for tests, made without a template."""

from collections.abc import Mapping

from fargate_workers_toolkit.semantics.cooldown import Bounds
from fargate_workers_toolkit.semantics.step_scaling import Step, StepPolicy
from fargate_workers_toolkit.semantics.target_tracking import TrackingPolicy
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
