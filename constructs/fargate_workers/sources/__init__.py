"""Sources of work: the protocol of all of them, and a room for each broker."""

from fargate_workers.sources.source import (
    Demand,
    OperatedSource,
    PlannerInput,
    SharedSource,
    Signals,
    SourceInNetwork,
    TaskInNetwork,
    WorkSource,
)

__all__ = [
    "Demand",
    "OperatedSource",
    "PlannerInput",
    "SharedSource",
    "Signals",
    "SourceInNetwork",
    "TaskInNetwork",
    "WorkSource",
]
