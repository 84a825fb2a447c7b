"""The claim's statement reaches the server as it is meant, whatever is in a key and however a session is set up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import psycopg
import pytest
import sqlalchemy

from fargate_workers_runtime import PostgresSettings
from fargate_workers_runtime.claims import EffectAttempt
from fargate_workers_runtime.errors import EffectRefused
from fargate_workers_runtime.sql import PostgresEffects
from tests.doubles.postgres_server import WORKER, PostgresDatabase
from tests.runtime.sql.conftest import Pool

KEYS = ["O'Brien", "back\\slash", "ü€😀", "%s %(key)s {key} $1 :key", "'; DROP TABLE message_claims; --", "a" * 1000]


@contextmanager
def plain(database: PostgresDatabase) -> Iterator[Any]:
    with database.connect(user=WORKER) as connection:
        yield connection


@contextmanager
def in_latin_9(database: PostgresDatabase) -> Iterator[Any]:
    with database.connect(user=WORKER, client_encoding="LATIN9") as connection:
        yield connection


@contextmanager
def behind_a_pooler(database: PostgresDatabase) -> Iterator[Any]:
    with database.connect(user=WORKER, prepare_threshold=None) as connection:
        yield connection


@contextmanager
def serializable(database: PostgresDatabase) -> Iterator[Any]:
    with database.connect(user=WORKER) as connection:
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        yield connection


@contextmanager
def begun_by_hand(database: PostgresDatabase) -> Iterator[Any]:
    with database.connect(user=WORKER, autocommit=True) as connection, connection.transaction():
        yield connection


@contextmanager
def with_rows_as_dictionaries(database: PostgresDatabase) -> Iterator[Any]:
    with database.connect(user=WORKER, row_factory=psycopg.rows.dict_row) as connection:
        yield connection


@contextmanager
def in_a_pipeline(database: PostgresDatabase) -> Iterator[Any]:
    with database.connect(user=WORKER) as connection, connection.pipeline():
        yield connection


@contextmanager
def with_sqlalchemy(database: PostgresDatabase) -> Iterator[Any]:
    parameters = PostgresSettings.from_environment(database.environment()).parameters
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(**parameters()), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        yield connection


WAYS = (
    plain,
    behind_a_pooler,
    serializable,
    begun_by_hand,
    with_rows_as_dictionaries,
    in_a_pipeline,
    with_sqlalchemy,
)


@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_claimed_as_it_is_and_once(database: PostgresDatabase, effects: PostgresEffects, way: Any) -> None:
    for key in KEYS:
        for payload, refusal in (("one", None), ("one", "done"), ("other", "reused")):
            attempt = EffectAttempt(key=key, payload=payload)
            with suppress(EffectRefused), way(database) as connection, effects.effect_in(connection, attempt):
                pass
            assert (attempt.entered, attempt.refused) == (refusal is None, refusal)
    assert {key for (key,) in database.execute("SELECT key FROM message_claims")} == set(KEYS)


def test_a_key_is_written_in_the_sessions_own_encoding(database: PostgresDatabase, effects: PostgresEffects) -> None:
    with in_latin_9(database) as connection, effects.effect_in(connection, EffectAttempt(key="€ü", payload="")):
        pass
    assert database.execute("SELECT key FROM message_claims") == [("€ü",)]


def test_asyncpg_claims_a_key_as_it_is(database: PostgresDatabase, effects: PostgresEffects) -> None:
    settings = PostgresSettings.from_environment(database.environment())

    async def claim() -> None:
        connection = await asyncpg.connect(
            host=settings.host,
            port=settings.port,
            database=settings.name,
            user=settings.user,
            password=settings.password,
            ssl=settings.ssl_context(),
        )
        for key in KEYS:
            async with connection.transaction(), effects.effect_in(connection, EffectAttempt(key=key, payload="")):
                pass
        await connection.close()

    asyncio.run(claim())
    assert {key for (key,) in database.execute("SELECT key FROM message_claims")} == set(KEYS)


def test_an_asynchronous_pipeline_claims_once(database: PostgresDatabase, effects: PostgresEffects) -> None:
    async def claim() -> list[str]:
        outcomes: list[str] = []
        for _ in range(2):
            attempt = EffectAttempt(key="1", payload="")
            with suppress(EffectRefused):
                async with (
                    await psycopg.AsyncConnection.connect(**database.parameters(user=WORKER)) as connection,
                    connection.pipeline(),
                    effects.effect_in(connection, attempt),
                ):
                    pass
            outcomes.append(attempt.refused or "claimed")
        return outcomes

    assert asyncio.run(claim()) == ["claimed", "done"]


def test_a_session_that_has_forgotten_its_statements_prepares_them_again(
    database: PostgresDatabase, effects: PostgresEffects, pool: Pool
) -> None:
    for number in range(3):
        with pool.connection() as connection, effects.effect_in(connection, EffectAttempt(key=str(number), payload="")):
            connection.execute("SELECT 1")
        with pool.connection() as connection:
            connection.execute("DEALLOCATE ALL")
    assert database.execute("SELECT count(*) FROM message_claims") == [(3,)]


def test_a_claim_costs_no_round_trip_of_its_own(
    database: PostgresDatabase, effects: PostgresEffects, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    with database.connect(user=WORKER) as connection:
        with effects.effect_in(connection, EffectAttempt(key="1", payload="")):
            connection.commit()
        execute = connection.execute
        monkeypatch.setattr(connection, "execute", lambda *args, **more: (sent.append(args[0]), execute(*args, **more)))
        with effects.effect_in(connection, EffectAttempt(key="2", payload="")):
            assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    assert sent == []  # it went with BEGIN, in one request
