"""Old and new code on one queue, while a deployment or its rollback is under way."""

from collections.abc import Callable
from typing import Any

import pytest

from fargate_workers_runtime import Message, PoisonMessage, Retry
from fargate_workers_runtime.entry_points.worker import run_once
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.testing import Clock, MemoryClaims, MemoryQueue

# The old schema leaves room for what is not known yet; `version` says when it is more than room can hold.
OLD = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "version": {"type": "integer"}},
    "required": ["order_id"],
}
NEW = {
    **OLD,
    "properties": {**OLD["properties"], "amount_cents": {"type": "integer"}},  # type: ignore[dict-item]
}


class Deployment:
    """One queue and one table of claims, on which versions of a worker take turns."""

    def __init__(self, bodies: list[dict[str, Any]]) -> None:
        self.clock = Clock()
        self.queue = MemoryQueue(bodies, max_receive_count=5, clock=self.clock)
        self.claims = MemoryClaims(clock=self.clock)
        self.done: list[tuple[str, str]] = []

    def work(self, handle: Callable[[Message], None], schema: dict[str, Any]) -> None:
        """One version works off what is visible; then time passes until all of it is again."""

        def remember(message: Message) -> None:
            handle(message)
            self.done.append((handle.__name__, message.body["order_id"]))

        settings = Settings(worker_name="w", queue_url="memory", receive_wait=0, health_file=None, concurrency=1)
        code = run_once(
            remember,
            queue=self.queue,
            claims=self.claims,
            schema=schema,
            idempotency_key="/order_id",
            settings=settings,
        )
        assert code == 0
        self.clock.advance(1_000)


def old(message: Message) -> None:
    if message.body.get("version", 1) > 1:
        # Newer workers are on their way. Poison would be the wrong word: nothing is wrong with the message.
        raise Retry("a version that this worker does not know")


def new(message: Message) -> None:
    if message.body.get("version", 1) > 1 and "amount_cents" not in message.body:
        raise PoisonMessage("no amount")


FROM_OLD = [{"order_id": f"old-{n}"} for n in range(10)]
WITH_MORE = [{"order_id": f"more-{n}", "gift": True} for n in range(10)]
FROM_NEW = [{"order_id": f"new-{n}", "version": 2, "amount_cents": n} for n in range(10)]


@pytest.mark.fault(46)
@pytest.mark.parametrize("turns", ["on", "no", "oon", "ono"])
def test_every_message_is_done_once_by_a_version_that_knows_it(turns: str) -> None:
    deployment = Deployment([*FROM_OLD, *WITH_MORE, *FROM_NEW])
    for turn in turns:
        deployment.work(*((old, OLD) if turn == "o" else (new, NEW)))
    done = sorted(order_id for _, order_id in deployment.done)
    assert done == sorted(body["order_id"] for body in [*FROM_OLD, *WITH_MORE, *FROM_NEW])
    assert {by for by, order_id in deployment.done if order_id.startswith("new")} == {"new"}
    assert deployment.queue.empty
    assert deployment.queue.dead_letters == []


@pytest.mark.fault(46)
def test_after_a_rollback_what_only_new_code_knows_waits_and_ends_as_a_dead_letter_not_as_nothing() -> None:
    deployment = Deployment([*FROM_OLD, *FROM_NEW])
    for _ in range(6):
        deployment.work(old, OLD)
    assert sorted(order_id for _, order_id in deployment.done) == sorted(body["order_id"] for body in FROM_OLD)
    assert {letter.delivery.receive_count for letter in deployment.queue.dead_letters} == {5}
    # Deployed again and redriven, they are handled: the failed attempts left no claim behind.
    for letter in deployment.queue.dead_letters:
        deployment.queue.send(letter.delivery.text)
    deployment.work(new, NEW)
    assert len(deployment.done) == 20


@pytest.mark.fault(46)
def test_a_message_that_old_code_did_is_a_duplicate_for_new_code() -> None:
    deployment = Deployment(FROM_OLD)
    deployment.work(old, OLD)
    for body in FROM_OLD:
        deployment.queue.send(body)
    deployment.work(new, NEW)
    assert [by for by, _ in deployment.done] == ["old"] * 10
    assert deployment.queue.empty
