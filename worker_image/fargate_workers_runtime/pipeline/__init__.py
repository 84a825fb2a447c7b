"""A message's way through the worker, from receiving to settling. No broker's name in here."""

from fargate_workers_runtime.pipeline.attempts import Attempts
from fargate_workers_runtime.pipeline.backoff import full_jitter
from fargate_workers_runtime.pipeline.credit import LONG_HANDLER_SECONDS, MOST_IN_HAND, ask_for
from fargate_workers_runtime.pipeline.in_hand import InHand
from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work
from fargate_workers_runtime.pipeline.isolation import Isolation
from fargate_workers_runtime.pipeline.leases import ENDING_SECONDS, Lease, Leases
from fargate_workers_runtime.pipeline.outage import Outage
from fargate_workers_runtime.pipeline.outcome import Again, Letter, Outcome
from fargate_workers_runtime.pipeline.patience import Memory
from fargate_workers_runtime.pipeline.receiving import Receivers
from fargate_workers_runtime.pipeline.releases import Releases
from fargate_workers_runtime.pipeline.settling import LINGER, Settler
from fargate_workers_runtime.pipeline.standstill import PERIOD, Standstill
from fargate_workers_runtime.pipeline.turns import Turns

__all__ = [
    "ENDING_SECONDS",
    "LINGER",
    "LONG_HANDLER_SECONDS",
    "MOST_IN_HAND",
    "PERIOD",
    "Again",
    "Attempts",
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
