"""The search for the cheapest policy that keeps its promise."""

from fargate_workers_toolkit.recommendation.held_out import held_out
from fargate_workers_toolkit.recommendation.reaction import refuse_too_short, refuse_unreachable
from fargate_workers_toolkit.recommendation.recommend import Outcome, Outlook, Progress, Recommendation, recommend

__all__ = [
    "Outcome",
    "Outlook",
    "Progress",
    "Recommendation",
    "held_out",
    "recommend",
    "refuse_too_short",
    "refuse_unreachable",
]
