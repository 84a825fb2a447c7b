"""A message's way through the worker, from receiving to settling. No broker's name in here."""

from fargate_workers_runtime.pipeline.backoff import full_jitter
from fargate_workers_runtime.pipeline.handler_threads import HandlerThreads
from fargate_workers_runtime.pipeline.in_hand import InHand
from fargate_workers_runtime.pipeline.inbox import Inbox, Line, Work
from fargate_workers_runtime.pipeline.leases import ENDING_SECONDS, Lease, Leases
from fargate_workers_runtime.pipeline.outage import Outage

__all__ = [
    "ENDING_SECONDS",
    "HandlerThreads",
    "InHand",
    "Inbox",
    "Lease",
    "Leases",
    "Line",
    "Outage",
    "Work",
    "full_jitter",
]
