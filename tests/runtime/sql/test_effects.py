"""The claim of a key in the effect's own transaction, with each driver."""

import logging
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from fargate_workers_runtime import Message, PostgresSettings, connect_postgres_async
from tests.doubles.postgres_server import WORKER, PostgresDatabase
from tests.runtime.sql.conftest import Work

INSERT = "INSERT INTO orders VALUES ('{id}', {amount})"
Handlers = dict[str, Callable[[PostgresDatabase], Callable[[Message], Any]]]


def orders(database: PostgresDatabase) -> list[tuple[Any, ...]]:
    return database.execute("SELECT id, amount FROM orders ORDER BY id")


def with_psycopg(database: PostgresDatabase) -> Callable[[Message], Any]:
    def handle(message: Message) -> None:
        with database.connect(user=WORKER) as connection, message.effect_in(connection):
            connection.execute(INSERT.format(**message.body).encode())

    return handle


def with_psycopg_async(database: PostgresDatabase) -> Callable[[Message], Any]:
    async def handle(message: Message) -> None:
        pool = await connect_postgres_async(database.environment())
        async with pool.connection() as connection, message.effect_in(connection):
            await connection.execute(INSERT.format(**message.body).encode())

    return handle


def with_asyncpg(database: PostgresDatabase) -> Callable[[Message], Any]:
    async def handle(message: Message) -> None:
        settings = PostgresSettings.from_environment(database.environment())
        async with (
            asyncpg.create_pool(
                host=settings.host,
                port=settings.port,
                database=settings.name,
                user=settings.user,
                password=settings.password,
                ssl=settings.ssl_context(),
                server_settings=settings.server_settings(),
                min_size=1,
            ) as pool,
            pool.acquire() as connection,
            connection.transaction(),
            message.effect_in(connection),
        ):
            await connection.execute(INSERT.format(**message.body))

    return handle


def engine(database: PostgresDatabase, **more: Any) -> sqlalchemy.Engine:
    settings = PostgresSettings.from_environment(database.environment())
    return sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(**settings.parameters()),
        poolclass=sqlalchemy.NullPool,
        **more,
    )


def with_sqlalchemy(database: PostgresDatabase) -> Callable[[Message], Any]:
    def handle(message: Message) -> None:
        with engine(database).begin() as connection, message.effect_in(connection):
            connection.execute(sqlalchemy.text(INSERT.format(**message.body)))

    return handle


def with_a_session(database: PostgresDatabase) -> Callable[[Message], Any]:
    def handle(message: Message) -> None:
        with Session(engine(database)) as session, session.begin(), message.effect_in(session):
            session.execute(sqlalchemy.text(INSERT.format(**message.body)))

    return handle


DRIVERS: Handlers = {
    "psycopg": with_psycopg,
    "psycopg async": with_psycopg_async,
    "SQLAlchemy": with_sqlalchemy,
    "SQLAlchemy session": with_a_session,
    "asyncpg": with_asyncpg,
}
every_driver = pytest.mark.parametrize("driver", DRIVERS)


@every_driver
def test_a_key_has_one_effect_and_a_duplicate_is_acknowledged(
    database: PostgresDatabase, work: Work, driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    order = {"id": "1", "amount": 5}
    queue = work(DRIVERS[driver](database), order, {"id": "2", "amount": 6}, order)
    assert orders(database) == [("1", 5), ("2", 6)]
    assert queue.empty
    assert [record.message for record in caplog.records].count("duplicate") == 1
    assert queue.dead_letters == []


@every_driver
def test_a_key_with_another_payload_is_dead_lettered(database: PostgresDatabase, work: Work, driver: str) -> None:
    queue = work(DRIVERS[driver](database), {"id": "1", "amount": 5}, {"id": "1", "amount": 6})
    assert orders(database) == [("1", 5)]
    assert [letter.reason for letter in queue.dead_letters] == ["idempotency key reused"]


@every_driver
def test_what_fails_after_the_effect_takes_effect_and_claim_back(
    database: PostgresDatabase, work: Work, driver: str
) -> None:
    queue = work(DRIVERS[driver](database), {"id": "1", "amount": "'no number'"})
    assert orders(database) == []
    assert database.execute("SELECT key FROM message_claims") == []
    assert len(queue.released) == 1


@every_driver
def test_a_key_that_another_attempt_has_is_released_after_a_second(
    database: PostgresDatabase, work: Work, driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with database.connect() as other:
        other.execute("INSERT INTO message_claims (scope, key, payload, expires_at) VALUES ('orders', '1', '', now())")
        queue = work(DRIVERS[driver](database), {"id": "1", "amount": 5})
        other.rollback()
    assert not queue.empty
    assert "held_elsewhere" in [record.message for record in caplog.records]
    assert orders(database) == []


@every_driver
def test_a_transaction_that_cannot_write_is_refused(
    database: PostgresDatabase,
    work: Work,
    driver: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database.execute(f"ALTER ROLE {WORKER} IN DATABASE {database.name} SET default_transaction_read_only = on")
    settings = PostgresSettings.parameters
    monkeypatch.setattr(PostgresSettings, "parameters", lambda place: settings(place, writer=False))
    queue = work(DRIVERS[driver](database), {"id": "1", "amount": 5})
    assert not queue.empty
    assert "ConnectionError: The connection cannot write" in caplog.text
    assert orders(database) == []
