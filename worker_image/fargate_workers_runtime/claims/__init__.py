"""Once per key: the protocol of claims, and one file per store."""

from fargate_workers_runtime.claims.effects import Block, EffectAttempt, Effects
from fargate_workers_runtime.claims.opening import open_claims
from fargate_workers_runtime.claims.protocol import (
    CLOCK_SKEW,
    KEEP_SECONDS,
    Claim,
    Claims,
    Counts,
    TransactionalClaims,
    fingerprint,
    most_tried,
)
from fargate_workers_runtime.claims.transactions import COMPLETED_OTHERWISE, transaction_id

__all__ = [
    "CLOCK_SKEW",
    "COMPLETED_OTHERWISE",
    "KEEP_SECONDS",
    "Block",
    "Claim",
    "Claims",
    "Counts",
    "EffectAttempt",
    "Effects",
    "TransactionalClaims",
    "fingerprint",
    "most_tried",
    "open_claims",
    "transaction_id",
]
