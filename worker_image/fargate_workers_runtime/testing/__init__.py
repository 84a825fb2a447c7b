"""A queue, claims, time and the worker around them in memory, for tests of handlers without AWS.

    from fargate_workers_runtime.testing import MemoryWorker

    def test_an_order_is_shipped() -> None:
        worker = MemoryWorker(handle, schema=ORDER_SCHEMA, idempotency_key="/order_id")
        worker.send({"order_id": "1"})
        worker.run()
        assert worker.queue.empty

The tests that hold for SQS, DynamoDB and Redis hold for these. In pytest, the fixture `memory_worker` makes one and
shows what became of each message when the test fails.
"""

from fargate_workers_runtime.testing.clock import Clock
from fargate_workers_runtime.testing.memory_claims import MemoryClaims
from fargate_workers_runtime.testing.memory_queue import MemoryQueue
from fargate_workers_runtime.testing.memory_worker import MemoryWorker, Retried

__all__ = ["Clock", "MemoryClaims", "MemoryQueue", "MemoryWorker", "Retried"]
