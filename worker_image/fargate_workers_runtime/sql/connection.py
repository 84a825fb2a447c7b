"""Pools of connections from the environment that Database.grant_connect sets: TLS, no secret with IAM, few logins."""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from fargate_workers_runtime.sql.postgres_settings import PostgresSettings

#: The longest life of a connection, in seconds; the pool shortens each by up to a twentieth, so that they do not end at
#: once. A name that leads elsewhere after a failover is looked up again by then.
_LIFE_SECONDS = 30 * 60

#: A connection that was looked at so recently, in seconds, is used without another look: looks cost a round trip.
_TRUSTED_SECONDS = 5.0

#: How long a handler waits for a connection, in seconds.
_PATIENCE_SECONDS = 10.0


class _Connection(psycopg.Connection[Any]):
    looked_at = 0.0


class _AsyncConnection(psycopg.AsyncConnection[Any]):
    looked_at = 0.0


def connect_postgres(environment: Mapping[str, str]) -> ConnectionPool[psycopg.Connection[Any]]:
    """The process's pool of connections to the database in the environment; it connects in the background.

    `with connect_postgres(os.environ).connection() as connection:` borrows one, and commits at the end.

    Environment: DATABASE_HOST, DATABASE_PORT (5432), DATABASE_NAME, DATABASE_USER, DATABASE_AUTHENTICATION (iam),
    DATABASE_PASSWORD, DATABASE_CA_FILE, DATABASE_CONNECTIONS (10), MAX_PROCESSING_SECONDS (900), AWS_REGION.

    Each connection logs in with a token of its own and lives for at most half an hour. The server's certificate and
    name are checked. A reader is refused. Calls with the same settings share one pool, with the runtime itself.

    Args:
        environment: The variables of the process, by name.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    settings = PostgresSettings.from_environment(environment)
    with _opening:
        pool = _pools.get(settings)
        if pool is None or pool.closed:
            pool = _pools[settings] = _pool(settings)
        return pool


async def connect_postgres_async(environment: Mapping[str, str]) -> AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
    """As `connect_postgres`, for coroutines: a pool for those of one event loop, which a worker has one of.

    `pool = await connect_postgres_async(os.environ)`, and `async with pool.connection() as connection:` borrows one.

    Args:
        environment: The variables of the process, by name.

    Raises:
        SettingsError: A variable is missing or wrong.
    """
    settings = PostgresSettings.from_environment(environment)
    pools = _async_pools.setdefault(asyncio.get_running_loop(), {})
    pool = pools.get(settings)
    if pool is None or pool.closed:
        pool = pools[settings] = _async_pool(settings)
        await pool.open()
    return pool


def _pool(settings: PostgresSettings) -> ConnectionPool[Any]:
    return ConnectionPool(
        kwargs=settings.parameters,
        connection_class=_Connection,
        check=_look,
        open=True,
        **_options(settings),
    )


def _async_pool(settings: PostgresSettings) -> AsyncConnectionPool[Any]:
    async def parameters() -> dict[str, Any]:
        return settings.parameters()

    return AsyncConnectionPool(
        kwargs=parameters,
        connection_class=_AsyncConnection,
        check=_look_async,
        open=False,
        **_options(settings),
    )


def _options(settings: PostgresSettings) -> dict[str, Any]:
    return {
        "min_size": 1,
        "max_size": settings.connections,
        "max_lifetime": _LIFE_SECONDS,
        "timeout": _PATIENCE_SECONDS,
        # Tries follow each other ever more slowly; given up early, they begin anew with the next handler that waits.
        "reconnect_timeout": _PATIENCE_SECONDS,
        # A pool that grows logs in once at a time: RDS takes 200 logins by IAM per second, from all tasks together.
        "num_workers": 1,
        "name": settings.application,
    }


def _look(connection: _Connection) -> None:
    """Refuse a connection that the server has cut since it was used last."""
    now = time.monotonic()
    if now - connection.looked_at > _TRUSTED_SECONDS:
        ConnectionPool.check_connection(connection)
    connection.looked_at = now


async def _look_async(connection: _AsyncConnection) -> None:
    now = time.monotonic()
    if now - connection.looked_at > _TRUSTED_SECONDS:
        await AsyncConnectionPool.check_connection(connection)
    connection.looked_at = now


_opening = threading.Lock()
_pools: dict[PostgresSettings, ConnectionPool[Any]] = {}
_async_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[PostgresSettings, AsyncConnectionPool[Any]]] = (
    WeakKeyDictionary()
)

logging.getLogger("psycopg.pool").setLevel(logging.WARNING)  # it has two lines for each use of a connection
