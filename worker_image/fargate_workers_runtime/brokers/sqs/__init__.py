"""Amazon SQS: standard and FIFO queues, their addresses, their batches, and the envelopes in their messages."""

from fargate_workers_runtime.brokers.sqs.batches import BATCH, MAX_BATCH_BYTES, batches
from fargate_workers_runtime.brokers.sqs.envelopes import sns_notification, unwrap
from fargate_workers_runtime.brokers.sqs.queue_address import address_of, check_addresses, region_of
from fargate_workers_runtime.brokers.sqs.sqs_broker import LONGEST_VISIBILITY, SqsBroker

__all__ = [
    "BATCH",
    "LONGEST_VISIBILITY",
    "MAX_BATCH_BYTES",
    "SqsBroker",
    "address_of",
    "batches",
    "check_addresses",
    "region_of",
    "sns_notification",
    "unwrap",
]
