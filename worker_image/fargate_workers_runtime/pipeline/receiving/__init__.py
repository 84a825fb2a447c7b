"""Receiving: which messages are asked for, when, and how many polls are open."""

from fargate_workers_runtime.pipeline.receiving.credit import LONG_HANDLER_SECONDS, MOST_IN_HAND, ask_for
from fargate_workers_runtime.pipeline.receiving.receivers import Receivers
from fargate_workers_runtime.pipeline.receiving.standstill import PERIOD, Standstill

__all__ = [
    "LONG_HANDLER_SECONDS",
    "MOST_IN_HAND",
    "PERIOD",
    "Receivers",
    "Standstill",
    "ask_for",
]
