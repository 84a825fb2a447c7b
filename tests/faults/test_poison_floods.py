"""Poison beside healthy messages: it costs its own requests, and nothing of theirs."""

from collections import Counter

import pytest

from fargate_workers_runtime import Message, run_once
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import MemoryQueue, MemoryWorker

SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}


@pytest.mark.fault(19)
def test_healthy_messages_pass_by_one_that_fails_again_and_again() -> None:
    def handle(message: Message) -> None:
        if message.body["order_id"].startswith("bad"):
            raise RuntimeError("cannot be shipped")

    worker = MemoryWorker(handle, schema=SCHEMA, idempotency_key="/order_id", max_receive_count=3)
    for number in range(300):
        worker.send({"order_id": f"bad-{number}" if number % 100 == 0 else f"good-{number}"})
    worker.run()
    assert len(worker.handled) == 297  # already now, before any of the three has been tried twice
    worker.settle()
    assert Counter(message.receive_count for message in worker.handled) == {1: 297}
    assert (
        sorted((letter.reason, letter.detail, letter.delivery.receive_count) for letter in worker.dead_letters)
        == [("failed 3 times", "RuntimeError: cannot be shipped", 3)] * 3
    )
    assert worker.queue.empty


@pytest.mark.fault(20)
def test_a_thousand_poison_messages_cost_one_delivery_and_less_than_a_third_of_a_request_each() -> None:
    healthy, poison = 10_000, 1_000
    bodies = [{"order_id": n if n % 11 == 0 else str(n)} for n in range(healthy + poison)]
    queue = MemoryQueue(bodies)
    deliveries: Counter[int] = Counter()

    def handle(message: Message) -> None:
        deliveries[message.receive_count] += 1

    settings = Settings(worker_name="w", queue_url="memory", receive_wait=0, health_file=None)
    assert run_once(handle, queue=queue, schema=SCHEMA, settings=settings) == 0
    assert deliveries == {1: healthy}
    assert Counter(letter.delivery.receive_count for letter in queue.dead_letters) == {1: poison}
    assert {letter.reason for letter in queue.dead_letters} == {"schema: /properties/order_id/type"}
    assert queue.empty
    # Receive, letter, delete: a tenth each; and what the odd batch that was not full costs.
    assert sum(queue.requests.values()) <= 0.21 * healthy + 0.31 * poison
    assert queue.requests["release"] == 0
