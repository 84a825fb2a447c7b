"""The brokers, and all code that depends on a broker's words and numbers."""

from fargate_workers_runtime.brokers.broker import (
    AttemptCounter,
    Broker,
    Capabilities,
    DeadLetter,
    Delivery,
    Failure,
    Lag,
)
from fargate_workers_runtime.brokers.sqs import sns_notification, unwrap

__all__ = [
    "AttemptCounter",
    "Broker",
    "Capabilities",
    "DeadLetter",
    "Delivery",
    "Failure",
    "Lag",
    "sns_notification",
    "unwrap",
]
