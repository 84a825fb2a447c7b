"""A database of each test's own, and a whole worker whose handlers claim their keys in it."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fargate_workers_runtime.entry_points.worker import run_once
from fargate_workers_runtime.handlers import Handler
from fargate_workers_runtime.settings import Settings
from fargate_workers_runtime.sql import PostgresEffects, connect_postgres
from fargate_workers_runtime.testing import MemoryQueue
from tests.doubles.postgres_server import WORKER, PostgresDatabase, PostgresServer

Pool = Any
Work = Callable[..., MemoryQueue]


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    """A database with the runtime's tables and one of orders, which the worker may write."""
    database = postgres.create_database()
    database.execute(f"CREATE TABLE orders (id text, amount integer); GRANT SELECT, INSERT ON orders TO {WORKER}")
    yield database
    database.drop()


@pytest.fixture
def pool(database: PostgresDatabase) -> Iterator[Pool]:
    """The worker's pool."""
    with connect_postgres(database.environment()) as pool:
        pool.wait()
        yield pool


@pytest.fixture
def effects(pool: Pool) -> PostgresEffects:
    return PostgresEffects(pool, scope="orders", keep=3600)


@pytest.fixture
def work(effects: PostgresEffects) -> Work:
    """Work once through messages, and return the queue that they were in."""

    def work(handle: Handler, *bodies: Any, queue: MemoryQueue | None = None, **changes: Any) -> MemoryQueue:
        queue = queue or MemoryQueue(bodies)
        settings = {"queue_url": "memory", "receive_wait": 0, "health_file": None, "concurrency": 1, **changes}
        code = run_once(
            handle,
            queue=queue,
            effects=effects,
            idempotency_key="/id",
            settings=Settings(worker_name="orders", **settings),
        )
        assert code == 0
        return queue

    return work


@pytest.fixture(autouse=True)
def _no_variables_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
