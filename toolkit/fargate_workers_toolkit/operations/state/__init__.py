"""The state of workers at one moment."""

from fargate_workers_toolkit.operations.state.reading import read_states
from fargate_workers_toolkit.operations.state.status import (
    FiringAlarm,
    FunctionStatus,
    Plan,
    ScalingStep,
    ServiceStatus,
    Status,
)

__all__ = ["FiringAlarm", "FunctionStatus", "Plan", "ScalingStep", "ServiceStatus", "Status", "read_states"]
