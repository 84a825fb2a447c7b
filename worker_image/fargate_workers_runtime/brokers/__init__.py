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
from fargate_workers_runtime.brokers.sqs import (
    BATCH,
    LONGEST_VISIBILITY,
    MAX_BATCH_BYTES,
    SqsBroker,
    address_of,
    batches,
    check_addresses,
    region_of,
    sns_notification,
    unwrap,
)

__all__ = [
    "BATCH",
    "LONGEST_VISIBILITY",
    "MAX_BATCH_BYTES",
    "AttemptCounter",
    "Broker",
    "Capabilities",
    "DeadLetter",
    "Delivery",
    "Failure",
    "Lag",
    "SqsBroker",
    "address_of",
    "batches",
    "check_addresses",
    "region_of",
    "sns_notification",
    "unwrap",
]
