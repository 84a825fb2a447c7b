"""Settling: what an attempt decided, carried out at the broker and in the store of claims."""

from fargate_workers_runtime.pipeline.settling.outcome import Again, Letter, Outcome
from fargate_workers_runtime.pipeline.settling.releases import Releases
from fargate_workers_runtime.pipeline.settling.settler import LINGER, Settler

__all__ = [
    "LINGER",
    "Again",
    "Letter",
    "Outcome",
    "Releases",
    "Settler",
]
