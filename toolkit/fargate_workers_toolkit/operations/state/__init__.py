"""The state of workers at one moment."""

from fargate_workers_toolkit.operations.state.reading import read_states
from fargate_workers_toolkit.operations.state.status import FiringAlarm, Plan, ScalingStep, Status

__all__ = ["FiringAlarm", "Plan", "ScalingStep", "Status", "read_states"]
