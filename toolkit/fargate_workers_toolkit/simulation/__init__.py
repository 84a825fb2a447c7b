"""Predicts how a synthesized service scales: its template and a load in, what its users would see out."""

from fargate_workers_toolkit.simulation.assuming import assuming, listed
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.figures import FIGURES, Figure, seconds_text
from fargate_workers_toolkit.simulation.limits import Limit, limits_of, lost, missed_percent
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.policies import (
    ForLatency,
    ForLatencyInMath,
    Keda,
    Mode,
    OnBacklogPerTask,
    OnQueueDepth,
    Policy,
    Present,
    Warm,
)
from fargate_workers_toolkit.simulation.policy_line import BEGINS, policy_of
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import DEFAULTS, Engine, simulate
from fargate_workers_toolkit.simulation.track import Event, Minutes

__all__ = [
    "BEGINS",
    "DEFAULTS",
    "FIGURES",
    "Assumptions",
    "Engine",
    "Event",
    "Figure",
    "ForLatency",
    "ForLatencyInMath",
    "Keda",
    "Limit",
    "Minutes",
    "Mode",
    "OnBacklogPerTask",
    "OnQueueDepth",
    "Policy",
    "Present",
    "Result",
    "ScaledService",
    "Warm",
    "assuming",
    "limits_of",
    "listed",
    "lost",
    "missed_percent",
    "policy_of",
    "seconds_text",
    "simulate",
]
