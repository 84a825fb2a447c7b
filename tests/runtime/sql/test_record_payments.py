"""The sample's worker with its effects in SQL: each payment counts once, whatever fails and however often it comes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fargate_workers_runtime.entry_points.worker import run_once
from fargate_workers_runtime.message import Message
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.sql import PostgresEffects
from fargate_workers_runtime.testing import MemoryQueue
from order_pipeline.record_payments import PAYMENT_SCHEMA, RecordPayments
from tests.doubles.postgres_server import PostgresDatabase, PostgresServer
from tests.runtime.sql.conftest import Pool

TABLES = Path(__file__).parents[3] / "worker_image" / "order_pipeline" / "payments.sql"
SETTINGS = Settings(worker_name="payments", queue_url="memory", receive_wait=0, health_file=None, concurrency=4)


def payment(number: int, *, customer: str = "ada", amount: int = 100) -> dict[str, Any]:
    return {"payment_id": f"payment-{number}", "customer_id": customer, "amount_cents": amount}


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """A database with the runtime's tables and the sample's own, made twice."""
    database = postgres.create_database()
    for _ in range(2):
        database.execute(TABLES.read_text(encoding="utf-8"))
    yield database
    database.drop()


def record(handle: Any, effects: PostgresEffects, *bodies: Any) -> MemoryQueue:
    queue = MemoryQueue(bodies)
    settings: dict[str, Any] = {"schema": PAYMENT_SCHEMA, "idempotency_key": "/payment_id", "settings": SETTINGS}
    assert run_once(handle, queue=queue, effects=effects, **settings) == 0
    return queue


def balances(database: PostgresDatabase) -> dict[str, int]:
    return dict(database.execute("SELECT customer_id, amount_cents FROM balances ORDER BY customer_id"))


def test_a_payment_that_comes_twice_counts_once(
    pool: Pool, effects: PostgresEffects, database: PostgresDatabase
) -> None:
    worker = RecordPayments(pool)

    first = record(worker.handle, effects, payment(1), payment(2, customer="bob"), payment(1))
    second = record(worker.handle, effects, payment(2, customer="bob"), payment(3, amount=50))

    assert balances(database) == {"ada": 150, "bob": 100}
    assert database.execute("SELECT count(*) FROM payments") == [(3,)]
    assert (first.dead_letters, second.dead_letters) == ([], [])


def test_a_failure_between_payment_and_balance_leaves_neither(
    pool: Pool, effects: PostgresEffects, database: PostgresDatabase
) -> None:
    def fails(message: Message) -> None:
        with pool.connection() as connection, message.effect_in(connection):
            connection.execute(b"INSERT INTO payments VALUES ('payment-1', 'ada', 100)")
            raise ConnectionError("between the two")

    record(fails, effects, payment(1))
    assert database.execute("SELECT count(*) FROM payments") == [(0,)]

    record(RecordPayments(pool).handle, effects, payment(1))
    assert balances(database) == {"ada": 100}


def test_a_payment_without_an_amount_is_poison(
    pool: Pool, effects: PostgresEffects, database: PostgresDatabase
) -> None:
    queue = record(RecordPayments(pool).handle, effects, {"payment_id": "payment-1", "customer_id": "ada"})

    assert len(queue.dead_letters) == 1
    assert balances(database) == {}
