"""The policies and alarms that a scalable target gets, by what it follows: depth, backlog, a planner or expressions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from fargate_workers.alarms import Metric
from fargate_workers.scaling.latency_budget import PlannedWorker
from fargate_workers.scaling.scaling_target import ScalingTarget
from fargate_workers.scaling.step_scaling import halving
from fargate_workers_planner.metric_math import BACKLOG_PER_TASK, DEPTH, LAST_RUNNING, RUNNING, LatencyExpressions
from fargate_workers_planner.metric_names import PLANNER_NAMESPACE
from fargate_workers_planner.steps import (
    ASLEEP_MINUTES,
    EMPTY_MINUTES,
    ONCE,
    QUIET_MINUTES,
    SCALE_IN_COOLDOWN,
    SCALE_OUT_COOLDOWN,
    SPARE_MINUTES,
    Adjustment,
    Step,
    adjustments,
    climbing,
    descending,
)


def follow_depth(target: ScalingTarget, steps: Sequence[Step], *, min_tasks: int, max_tasks: int) -> None:
    """Add tasks in steps of the depth, remove half of them below the first step, and the last when all is done.

    Args:
        target: The service that scales.
        steps: Depths, rising, and the tasks that are added from there on. Empty where no step can be reached.
        min_tasks: Tasks that always run; with 0 the service sleeps and is woken.
        max_tasks: Tasks that may run at most.
    """
    sleeps = min_tasks == 0
    deepest_quiet = steps[0][0] - 1 if steps else None
    if sleeps:
        _wake(target, deepest_quiet)
    if deepest_quiet is not None:
        target.step(
            "ScaleOut",
            DEPTH,
            threshold=deepest_quiet + 1,
            minutes=1,
            kind="ChangeInCapacity",
            adjustments=adjustments(steps),
            cooldown=SCALE_OUT_COOLDOWN,
        )
        _shrink(target, f"{DEPTH} <= {deepest_quiet}", min_tasks=min_tasks, max_tasks=max_tasks)
    if sleeps:
        _sleep(target)


def follow_backlog(target: ScalingTarget, messages: int, *, sleeps: bool) -> None:
    """Keep a number of messages per running task by target tracking.

    Args:
        target: The service that scales.
        messages: Messages per running task.
        sleeps: Whether the service may run no task, and is woken.
    """
    if sleeps:
        _wake(target, messages)
    target.track(
        "BacklogPerTask",
        BACKLOG_PER_TASK,
        goal=messages,
        scale_out_cooldown=SCALE_OUT_COOLDOWN,
        scale_in_cooldown=SCALE_IN_COOLDOWN,
    )


def follow_planner(
    target: ScalingTarget, planned: PlannedWorker, *, cooldown: int, most_busy_tasks: int | None = None
) -> None:
    """Add and remove the tasks that the scaling planner publishes as missing or too many.

    Args:
        target: The service that scales.
        planned: The worker that the planner plans for.
        cooldown: Seconds from a scale-out until its tasks count as running.
        most_busy_tasks: Tasks that the source lets be busy at most. Defaults to no bound.
    """
    # By this, what reads the template knows whose plans the policies follow.
    plans: dict[str, Any] = {"worker": planned.worker, "policy": planned.policy}
    if most_busy_tasks is not None:
        plans["partitions"] = most_busy_tasks
    metadata: Mapping[str, Any] = {"planner": plans}
    for name, metric, threshold, steps, pause in (
        ("ScaleOut", "CapacityGap", 1, climbing(), cooldown),
        ("ScaleIn", "CapacityGapIn", -1, descending(), ONCE),
    ):
        target.follow(
            name,
            Metric(namespace=PLANNER_NAMESPACE, name=metric, dimensions={"Worker": planned.worker}),
            threshold=threshold,
            adjustments=steps,
            cooldown=pause,
            metadata=metadata,
        )


def follow_expressions(target: ScalingTarget, expressions: LatencyExpressions, *, sleeps: bool, cooldown: int) -> None:
    """Add and remove the tasks that metric math finds missing or too many.

    Args:
        target: The service that scales.
        expressions: What its alarms calculate.
        sleeps: Whether the service may run no task, and is woken.
        cooldown: Seconds from a scale-out until its tasks count as running.
    """
    adding = climbing()
    removing = [replace(step, change=-step.change) for step in adding]
    step = partial(target.step, threshold=1, kind="ChangeInCapacity")
    step("ScaleOut", expressions.scale_out, minutes=1, adjustments=adding, cooldown=cooldown)
    # What every minute could spare, and no more.
    step(
        "ScaleIn",
        expressions.scale_in,
        minutes=SPARE_MINUTES,
        adjustments=removing,
        cooldown=ONCE,
        aggregation="Minimum",
    )
    if sleeps:
        step("WakeUp", expressions.wake_up, minutes=ASLEEP_MINUTES, adjustments=adding, cooldown=cooldown)


def _wake(target: ScalingTarget, deepest_quiet: int | None) -> None:
    """One task for the first messages. Deeper queues are left to the policy that adds tasks."""
    shallow = "" if deepest_quiet is None else f" AND {DEPTH} <= {deepest_quiet}"
    target.step(
        "WakeUp",
        # That nothing was received distinguishes sleep from ECS's silence about tasks that work.
        # One more, not one in all: whatever ECS reports too late, to wake never lowers the number of tasks.
        f"IF({DEPTH} >= 1{shallow} AND received < 1, {RUNNING} < 1, 0)",
        threshold=1,
        minutes=ASLEEP_MINUTES,
        kind="ChangeInCapacity",
        adjustments=[Adjustment(lower=0, upper=None, change=1)],
        cooldown=ONCE,
    )


def _shrink(target: ScalingTarget, quiet: str, *, min_tasks: int, max_tasks: int) -> None:
    if min_tasks >= 1:
        target.step(
            "ScaleIn",
            f"IF({quiet}, {LAST_RUNNING} > {min_tasks}, 0)",
            threshold=1,
            minutes=QUIET_MINUTES,
            kind="PercentChangeInCapacity",
            adjustments=[Adjustment(lower=0, upper=None, change=-50)],
            cooldown=SCALE_IN_COOLDOWN,
        )
    else:
        target.step(
            "ScaleIn",
            f"IF({quiet}, {LAST_RUNNING}, 0)",
            threshold=2,
            minutes=QUIET_MINUTES,
            kind="ExactCapacity",
            adjustments=adjustments(halving(max_tasks)),
            cooldown=SCALE_IN_COOLDOWN,
        )


def _sleep(target: ScalingTarget) -> None:
    target.step(
        "Sleep",
        f"IF({DEPTH} < 1, {LAST_RUNNING} > 0, 0)",
        threshold=1,
        minutes=EMPTY_MINUTES,
        kind="ExactCapacity",
        adjustments=[Adjustment(lower=0, upper=None, change=0)],
        cooldown=SCALE_IN_COOLDOWN,
    )
