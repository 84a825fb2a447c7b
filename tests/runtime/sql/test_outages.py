"""A database that is not there: nothing is received meanwhile, and no message pays for it."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from fargate_workers_runtime import Message, connect_postgres
from fargate_workers_runtime.handlers.gate import Gate
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.sql import PostgresEffects
from fargate_workers_runtime.telemetry.metrics import Metrics
from fargate_workers_runtime.testing import MemoryQueue
from fargate_workers_runtime.worker import Worker
from tests.doubles.postgres_server import PostgresDatabase
from tests.doubles.tcp_proxy import TcpProxy
from tests.patience import PATIENCE, until
from tests.runtime.sql.conftest import Pool, Work


@pytest.fixture(autouse=True)
def _no_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pipeline.outage", "pipeline.attempting.attempts"):
        monkeypatch.setattr(f"fargate_workers_runtime.{module}.full_jitter", lambda *_args, **_more: 0.01)
    monkeypatch.setattr("fargate_workers_runtime.sql.connection._PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr("fargate_workers_runtime.sql.effects._PATIENCE_SECONDS", 2.0)


def inserting(pool: Pool) -> Callable[[Message], None]:
    def handle(message: Message) -> None:
        with pool.connection() as connection, message.effect_in(connection):
            connection.execute("INSERT INTO orders VALUES (%s, 1)", (message.body["id"],))

    return handle


def orders(database: PostgresDatabase) -> list[str]:
    return [order for (order,) in database.execute("SELECT id FROM orders ORDER BY id")]


class Running:
    """A worker in a thread."""

    def __init__(self, handle: Callable[[Message], None], pool: Pool, queue: MemoryQueue) -> None:
        self.lines: list[str] = []
        self._worker = Worker(
            handle,
            gate=Gate(idempotency_key="/id"),
            broker=queue,
            settings=Settings(
                worker_name="orders", queue_url="memory", receive_wait=1, concurrency=2, health_file=None, lease=30
            ),
            effects=PostgresEffects(pool, scope="orders", keep=3600),
            metrics=Metrics("orders", write=self.lines.append),
        )
        self._thread = threading.Thread(target=self._worker.run, daemon=True)
        self._thread.start()

    def stop(self) -> str:
        """Stop it; its metrics."""
        self._worker.request_stop("the test is over")
        self._thread.join(PATIENCE)
        return "".join(self.lines)


def test_a_worker_that_starts_without_its_database_receives_nothing_until_it_is_there(
    database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    queue = MemoryQueue([{"id": "1"}])
    with TcpProxy(database.server.port) as proxy, connect_postgres(database.environment(port=proxy.port)) as pool:
        proxy.reset()
        worker = Running(inserting(pool), pool, queue)
        until(lambda: "store_unavailable" in caplog.text)
        assert queue.requests["receive"] == 0
        proxy.heal()
        until(lambda: queue.empty)
        worker.stop()
    assert orders(database) == ["1"]


def test_a_database_that_goes_away_postpones_messages_and_fails_none(
    database: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    queue = MemoryQueue([{"id": "1"}])
    with TcpProxy(database.server.port) as proxy, connect_postgres(database.environment(port=proxy.port)) as pool:
        worker = Running(inserting(pool), pool, queue)
        until(lambda: queue.empty)
        proxy.reset()
        queue.send({"id": "2"})
        until(lambda: "store_unavailable" in caplog.text)
        proxy.heal()
        until(lambda: queue.empty)
        metrics = worker.stop()
    assert orders(database) == ["1", "2"]
    assert '"MessagesFailed":0' in metrics
    assert '"MessagesHandled":2' in metrics
    assert '"MessagesPostponed":0' not in metrics


def test_a_commit_whose_answer_was_lost_is_a_duplicate_at_the_next_attempt(
    database: PostgresDatabase, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with TcpProxy(database.server.port) as proxy, connect_postgres(database.environment(port=proxy.port)) as pool:
        pool.wait()

        def handle(message: Message) -> None:
            with pool.connection() as connection, message.effect_in(connection):
                connection.execute("INSERT INTO orders VALUES (%s, 1)", (message.body["id"],))
                if message.receive_count == 1:
                    proxy.drop_next_answer()  # the next request is the commit

        clock = _Clock()
        queue = MemoryQueue([{"id": "1"}], clock=clock)
        work(handle, queue=queue)
        assert proxy.answer_dropped
        assert orders(database) == ["1"]
        assert not queue.empty
        clock.now += 3600
        work(handle, queue=queue)
    assert queue.empty
    assert orders(database) == ["1"]
    assert [record.message for record in caplog.records].count("duplicate") == 1


def test_an_effect_that_is_not_guarded_counts_as_a_failure(database: PostgresDatabase, pool: Any) -> None:
    queue = MemoryQueue([{"id": "1"}])
    worker = Running(lambda _message: None, pool, queue)
    until(lambda: queue.empty)
    metrics = worker.stop()
    assert '"MessagesFailed":1' in metrics
    assert '"MessagesHandled":0' in metrics


class _Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now
