"""A message's way through the worker, from receiving to settling. No broker's name in here."""

from fargate_workers_runtime.pipeline.attempting import Attempts, Isolation, Memory, Turns
from fargate_workers_runtime.pipeline.backoff import full_jitter
from fargate_workers_runtime.pipeline.handler_threads import HandlerThreads
from fargate_workers_runtime.pipeline.in_hand import InHand
from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work
from fargate_workers_runtime.pipeline.leases import ENDING_SECONDS, Lease, Leases
from fargate_workers_runtime.pipeline.outage import Outage
from fargate_workers_runtime.pipeline.receiving import (
    LONG_HANDLER_SECONDS,
    MOST_IN_HAND,
    PERIOD,
    Receivers,
    Standstill,
    ask_for,
)
from fargate_workers_runtime.pipeline.settling import LINGER, Again, Letter, Outcome, Releases, Settler

__all__ = [
    "ENDING_SECONDS",
    "LINGER",
    "LONG_HANDLER_SECONDS",
    "MOST_IN_HAND",
    "PERIOD",
    "Again",
    "Attempts",
    "HandlerThreads",
    "InHand",
    "Inbox",
    "Isolation",
    "Lease",
    "Leases",
    "Letter",
    "Line",
    "Memory",
    "Outage",
    "Outcome",
    "Receivers",
    "Releases",
    "Settler",
    "Standstill",
    "Turns",
    "Work",
    "ask_for",
    "full_jitter",
]
