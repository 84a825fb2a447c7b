"""How CloudWatch, Auto Scaling and ECS behave."""

from fargate_workers_toolkit.aws_behaviour import metric_math
from fargate_workers_toolkit.aws_behaviour.alarm_evaluation import (
    COMPARISONS,
    EXTRA_DATAPOINTS,
    MissingData,
    State,
    comparison_named,
    evaluate,
    sliding_windows,
    state_of,
)
from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds, Cooldowns, Outcome
from fargate_workers_toolkit.aws_behaviour.ecs_launches import (
    MEDIAN_SECONDS,
    SIGMA,
    LaunchBucket,
    launch_latency,
    start_pause,
    stop_order,
)
from fargate_workers_toolkit.aws_behaviour.metric_math import Expression, MetricMathError, Series
from fargate_workers_toolkit.aws_behaviour.schedules import Schedule, ScheduleError
from fargate_workers_toolkit.aws_behaviour.step_scaling import (
    AdjustmentType,
    Aggregation,
    Step,
    StepPolicy,
    scale_by_steps,
)
from fargate_workers_toolkit.aws_behaviour.target_tracking import Reading, ScaleIn, Tracked, TrackingPolicy, track

__all__ = [
    "COMPARISONS",
    "EXTRA_DATAPOINTS",
    "MEDIAN_SECONDS",
    "SIGMA",
    "AdjustmentType",
    "Aggregation",
    "Bounds",
    "Cooldowns",
    "Expression",
    "LaunchBucket",
    "MetricMathError",
    "MissingData",
    "Outcome",
    "Reading",
    "ScaleIn",
    "Schedule",
    "ScheduleError",
    "Series",
    "State",
    "Step",
    "StepPolicy",
    "Tracked",
    "TrackingPolicy",
    "comparison_named",
    "evaluate",
    "launch_latency",
    "metric_math",
    "scale_by_steps",
    "sliding_windows",
    "start_pause",
    "state_of",
    "stop_order",
    "track",
]
