"""How many tasks: policies, their expressions, and the planner."""

from fargate_workers.scaling.planner import ScalingPlanner
from fargate_workers.scaling.policies import BacklogScaling, DepthScaling, LatencyScaling, Scaling
from fargate_workers.scaling.scaling_target import ScaledWorker
from fargate_workers_planner.arithmetic import Mode

__all__ = ["BacklogScaling", "DepthScaling", "LatencyScaling", "Mode", "ScaledWorker", "Scaling", "ScalingPlanner"]
