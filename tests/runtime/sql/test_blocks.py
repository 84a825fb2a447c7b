"""The block of message.effect_in: what it refuses, and what becomes of messages that do not enter it."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy

from fargate_workers_runtime import Message, PostgresSettings, Retry
from fargate_workers_runtime.sql import PostgresEffects
from fargate_workers_runtime.testing import MemoryQueue, MemoryWorker
from tests.doubles.postgres_server import WORKER, PostgresDatabase
from tests.patience import PATIENCE, until
from tests.runtime.sql.conftest import Pool, Work, claim_that_waits

ORDER = {"id": "1", "amount": 5}
AUTOCOMMIT = "The connection commits each statement by itself; begin a transaction first"


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message.partition(":")[0] for record in caplog.records]


def insert(connection: "psycopg.Connection[Any]", message: Message) -> None:
    connection.execute("INSERT INTO orders VALUES (%s, %s)", (message.body["id"], message.body["amount"]))


def amounts(database: PostgresDatabase) -> list[int]:
    return [amount for (amount,) in database.execute("SELECT amount FROM orders ORDER BY amount")]


def test_a_connection_in_autocommit_is_refused(
    database: PostgresDatabase, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(message: Message) -> None:
        with database.connect(user=WORKER, autocommit=True) as connection, message.effect_in(connection):
            insert(connection, message)

    assert not work(handle, ORDER).empty
    assert AUTOCOMMIT in caplog.text
    assert amounts(database) == []
    assert database.execute("SELECT key FROM message_claims") == []


def test_sqlalchemys_autocommit_is_refused(
    database: PostgresDatabase, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = PostgresSettings.from_environment(database.environment()).parameters
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(**parameters()),
        poolclass=sqlalchemy.NullPool,
        isolation_level="AUTOCOMMIT",
    )

    def handle(message: Message) -> None:
        with engine.begin() as connection, message.effect_in(connection):
            connection.execute(sqlalchemy.text("INSERT INTO orders VALUES ('1', 5)"))

    assert not work(handle, ORDER).empty
    assert AUTOCOMMIT in caplog.text
    assert amounts(database) == []


def test_a_transaction_begun_by_hand_in_autocommit_is_one(database: PostgresDatabase, work: Work) -> None:
    def handle(message: Message) -> None:
        with (
            database.connect(user=WORKER, autocommit=True) as connection,
            connection.transaction(),
            message.effect_in(connection),
        ):
            insert(connection, message)

    assert work(handle, ORDER, ORDER).empty
    assert amounts(database) == [5]


def test_a_savepoint_takes_effect_and_claim_back_together(database: PostgresDatabase, pool: Pool, work: Work) -> None:
    def handle(message: Message) -> None:
        with pool.connection() as connection:
            try:
                with connection.transaction(), message.effect_in(connection):
                    insert(connection, message)
                    if message.body["amount"] == 5:
                        raise ValueError
            except ValueError:
                connection.execute("INSERT INTO orders VALUES ('refused', 0)")

    assert work(handle, ORDER, {"id": "1", "amount": 6}).empty
    assert amounts(database) == [0, 6]


def test_a_synchronous_connection_in_an_asynchronous_block_is_refused_and_the_other_way_round(
    database: PostgresDatabase, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    async def handle(message: Message) -> None:
        with database.connect(user=WORKER) as connection:
            async with message.effect_in(connection):
                insert(connection, message)

    async def the_other_way(message: Message) -> None:
        connection = await psycopg.AsyncConnection.connect(**database.parameters(user=WORKER))
        async with connection:
            with message.effect_in(connection):
                pass

    assert not work(handle, ORDER).empty
    assert "The connection is synchronous; write `with message.effect_in(connection):`." in caplog.text
    assert not work(the_other_way, ORDER).empty
    assert "The connection is asynchronous; write `async with message.effect_in(connection):`." in caplog.text


def test_what_is_no_connection_is_refused(work: Work, caplog: pytest.LogCaptureFixture) -> None:
    def handle(message: Message) -> None:
        with message.effect_in("postgresql://"):
            pass

    assert not work(handle, ORDER).empty
    assert "builtins.str is no connection that is known here" in caplog.text


def test_a_handler_that_never_enters_the_block_is_an_error_and_its_message_is_acknowledged(
    effects: PostgresEffects, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    """Its effect is there: another attempt would certainly repeat it."""
    queue = work(lambda _message: None, ORDER)
    assert queue.empty
    assert events(caplog).count("effect_not_guarded") == 1


def test_a_handler_that_catches_everything_does_not_end_a_duplicate_twice(
    database: PostgresDatabase, pool: Pool, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def handle(message: Message) -> None:
        try:
            with pool.connection() as connection, message.effect_in(connection):
                insert(connection, message)
        except BaseException:
            return

    assert work(handle, ORDER, ORDER).empty
    assert amounts(database) == [5]
    assert events(caplog).count("duplicate") == 1
    assert "effect_not_guarded" not in events(caplog)


def test_two_blocks_in_one_attempt_are_a_mistake_that_is_logged(
    database: PostgresDatabase, pool: Pool, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    def handle(message: Message) -> None:
        for _ in range(2):
            with pool.connection() as connection, message.effect_in(connection):
                insert(connection, message)

    work(handle, ORDER)
    assert amounts(database) == [5]
    assert "put all effects of a message into one transaction" in caplog.text


def test_a_handler_may_try_its_transaction_again_by_itself(database: PostgresDatabase, pool: Pool, work: Work) -> None:
    def handle(message: Message) -> None:
        for fails in (True, False):
            try:
                with pool.connection() as connection, message.effect_in(connection):
                    insert(connection, message)
                    if fails:
                        raise psycopg.errors.SerializationFailure
            except psycopg.errors.SerializationFailure:
                continue

    assert work(handle, ORDER, ORDER).empty
    assert amounts(database) == [5]


def test_the_claim_waits_a_second_and_what_follows_as_long_as_its_connection_does(
    database: PostgresDatabase, pool: Pool, work: Work
) -> None:
    seen: list[str] = []

    def handle(message: Message) -> None:
        with pool.connection() as connection, message.effect_in(connection):
            seen.append(connection.execute("SHOW lock_timeout").fetchone()[0])

    work(handle, ORDER)
    assert seen == ["30s"]


@pytest.mark.parametrize("commits", [True, False])
def test_a_second_attempt_waits_for_the_first_and_runs_only_if_that_took_everything_back(
    database: PostgresDatabase, pool: Pool, work: Work, commits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fargate_workers_runtime.sql import effect

    monkeypatch.setattr(effect, "CLAIM", claim_that_waits(milliseconds=round(PATIENCE * 1000)))
    begun, queue = threading.Event(), MemoryQueue([ORDER, ORDER])

    def handle(message: Message) -> None:
        first = not begun.is_set()
        begun.set()
        with pool.connection() as connection, message.effect_in(connection):
            insert(connection, message)
            if first:
                _until_one_waits(database)
                if not commits:
                    raise Retry("not yet")

    work(handle, queue=queue, concurrency=2)
    assert amounts(database) == [5]


def test_the_same_key_of_another_worker_is_another_effect(database: PostgresDatabase, pool: Pool) -> None:
    from fargate_workers_runtime.entry_points.worker import run_once
    from fargate_workers_runtime.settings import Settings

    def handle(message: Message) -> None:
        with pool.connection() as connection, message.effect_in(connection):
            insert(connection, message)

    for name in ("orders", "invoices"):
        effects = PostgresEffects(pool, scope=name, keep=3600)
        settings = Settings(worker_name=name, queue_url="memory", receive_wait=0, health_file=None)
        run_once(handle, queue=MemoryQueue([ORDER]), effects=effects, idempotency_key="/id", settings=settings)
    assert amounts(database) == [5, 5]


@pytest.mark.parametrize("isolation", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_key_that_is_done_after_the_transaction_began_is_tried_again_and_then_a_duplicate(
    database: PostgresDatabase, pool: Pool, work: Work, isolation: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def handle(message: Message) -> None:
        with pool.connection() as connection:
            connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}".encode())
            connection.execute("SELECT count(*) FROM orders")
            if message.receive_count == 1:
                other = Message(id="2", body=message.body, raw="", idempotency_key="1")
                _do(pool, other, message)
            with message.effect_in(connection):
                insert(connection, message)

    queue = work(handle, ORDER)
    assert "transaction_conflict" in events(caplog)
    assert "handler_failed" not in events(caplog)
    assert len(queue.released) == 1


def test_a_deadlock_is_a_retry_and_no_failure(
    database: PostgresDatabase, pool: Pool, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    database.execute("INSERT INTO orders VALUES ('a', 0), ('b', 0); GRANT UPDATE ON orders TO worker")
    both = threading.Barrier(2)

    def handle(message: Message) -> None:
        rows = ("a", "b") if message.body["id"] == "1" else ("b", "a")
        with pool.connection() as connection, message.effect_in(connection):
            for row in rows:
                connection.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", (row,))
                if message.receive_count == 1 and row == rows[0]:
                    both.wait(PATIENCE)

    work(handle, ORDER, {"id": "2"}, concurrency=2)
    assert events(caplog).count("transaction_conflict") == 1
    assert "handler_failed" not in events(caplog)
    assert amounts(database) == [1, 1]


def test_effect_in_without_claims_in_postgresql_says_so() -> None:
    def handle(message: Message) -> None:
        with message.effect_in(None):
            pass

    worker = MemoryWorker(handle)
    worker.send(ORDER)
    worker.run()
    (retried,) = worker.retried
    assert str(retried.error).startswith("message.effect_in needs claims in PostgreSQL")


def test_effect_in_outside_of_a_worker_says_so() -> None:
    with pytest.raises(TypeError, match=r"message\.effect_in works inside a worker only"):
        Message(id="1", body=None, raw="").effect_in(None)


def _do(pool: Pool, other: Message, message: Message) -> None:
    """The same effect, by somebody else, committed."""
    from fargate_workers_runtime.claims import EffectAttempt, fingerprint

    attempt = EffectAttempt(key=other.idempotency_key, payload=fingerprint(message.body))
    effects = PostgresEffects(pool, scope="orders", keep=3600)
    with pool.connection() as connection, effects.effect_in(connection, attempt):
        pass


def _until_one_waits(database: PostgresDatabase) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    until(lambda: database.execute(waiting))


Handle = Callable[[Message], None]
