"""The pool: a token for each connection, certificates checked, readers refused, connections that were cut replaced."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from fargate_workers_runtime import PostgresSettings, SettingsError, connect_postgres, connect_postgres_async
from tests.doubles.postgres_server import PostgresDatabase, PostgresServer
from tests.doubles.tcp_proxy import TcpProxy

HOST = {"DATABASE_HOST": "db.example", "DATABASE_NAME": "orders", "DATABASE_USER": "worker", "AWS_REGION": "eu-west-1"}
Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"DATABASE_HOST": ""}, "DATABASE_HOST is not set"),
        ({"DATABASE_NAME": ""}, "DATABASE_NAME is not set"),
        ({"DATABASE_USER": ""}, "DATABASE_USER is not set"),
        ({"DATABASE_PORT": "x"}, "DATABASE_PORT is 'x'; make it a whole number from 1 to 65535."),
        (
            {"DATABASE_AUTHENTICATION": "none"},
            "DATABASE_AUTHENTICATION is 'none'; make it one of iam, password.",
        ),
        ({"DATABASE_AUTHENTICATION": "password"}, "DATABASE_PASSWORD is not set"),
        ({"AWS_REGION": ""}, "AWS_DEFAULT_REGION is not set"),
        ({"DATABASE_CA_FILE": "/nowhere.pem"}, "DATABASE_CA_FILE is '/nowhere.pem', which cannot be read"),
        ({"DATABASE_KEEP_SECONDS": "5"}, "DATABASE_KEEP_SECONDS is '5'; make it a whole number from 60"),
    ],
)
def test_a_wrong_environment_is_one_sentence(changes: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        PostgresSettings.from_environment({**HOST, **changes})


def test_the_password_is_a_signed_connect_request_for_the_endpoint(credentials: None) -> None:
    token = PostgresSettings.from_environment(HOST).password()
    parts = urlsplit(f"https://{token}")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert parts.netloc == "db.example:5432"
    assert (query["Action"], query["DBUser"], query["X-Amz-Expires"]) == ("connect", "worker", "900")
    assert query["X-Amz-Credential"].endswith("/eu-west-1/rds-db/aws4_request")
    assert query["X-Amz-SignedHeaders"] == "host"
    assert "secret" not in token


def test_the_token_is_botocores_own(credentials: None) -> None:
    import botocore.session

    client = botocore.session.get_session().create_client("rds", region_name="eu-west-1")
    theirs = client.generate_db_auth_token(DBHostname="db.example", Port=5432, DBUsername="worker")
    ours = PostgresSettings.from_environment(HOST).password()
    strip = ("X-Amz-Date", "X-Amz-Signature", "X-Amz-Credential")
    queries = [parse_qs(urlsplit(f"https://{token}").query) for token in (theirs, ours)]
    kept = [{name: value for name, value in query.items() if name not in strip} for query in queries]
    assert kept[0] == kept[1]


def test_no_secret_is_in_the_settings_text() -> None:
    environment = {**HOST, "DATABASE_AUTHENTICATION": "password", "DATABASE_PASSWORD": "hunter2"}
    assert "hunter2" not in repr(PostgresSettings.from_environment(environment))


def test_each_connection_has_a_token_of_its_own(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    signed: list[str] = []

    def password(_settings: PostgresSettings) -> str:
        signed.append("")
        return database.server.password

    monkeypatch.setattr(PostgresSettings, "password", password)
    with (
        connect_postgres(database.environment(DATABASE_CONNECTIONS="3")) as pool,
        pool.connection(),
        pool.connection(),
        pool.connection(),
    ):
        with pytest.raises(PoolTimeout):
            pool.getconn(timeout=0.1)
        assert len(signed) == 3


def test_calls_with_the_same_settings_share_a_pool_and_a_closed_one_is_replaced(database: PostgresDatabase) -> None:
    with connect_postgres(database.environment()) as pool:
        assert connect_postgres(database.environment()) is pool
        with connect_postgres(database.environment(WORKER_NAME="other")) as other:
            assert other is not pool
    with connect_postgres(database.environment()) as again:
        assert again is not pool


def test_a_session_has_its_limits(database: PostgresDatabase) -> None:
    names = ("lock_timeout", "idle_in_transaction_session_timeout", "application_name")
    environment = database.environment(MAX_PROCESSING_SECONDS="60", WORKER_NAME="prod-Workers/Orders")
    with connect_postgres(environment) as pool, pool.connection() as connection:
        settings = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]
    assert settings == [("30s",), ("1min",), ("prod-Workers/Orders",)]


def test_a_certificate_of_another_authority_is_refused(database: PostgresDatabase) -> None:
    settings = PostgresSettings.from_environment(database.environment(DATABASE_CA_FILE=""))
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(**settings.parameters())


def test_a_certificate_of_another_name_is_refused(database: PostgresDatabase) -> None:
    settings = PostgresSettings.from_environment(database.environment(DATABASE_HOST="ip6-localhost"))
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(**{**settings.parameters(), "hostaddr": "127.0.0.1"})


def test_a_reader_is_refused(database: PostgresDatabase) -> None:
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    settings = PostgresSettings.from_environment(database.environment())
    with pytest.raises(psycopg.OperationalError, match="session is read-only"):
        psycopg.connect(**settings.parameters())


def test_a_connection_that_was_cut_while_it_rested_is_replaced(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.sql.connection._TRUSTED_SECONDS", -1.0)
    with connect_postgres(database.environment()) as pool:
        pool.wait()
        database.server.restart()
        with pool.connection() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_pool_finds_the_database_again_after_an_outage(
    database: PostgresDatabase, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fargate_workers_runtime.sql.connection._PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr("fargate_workers_runtime.sql.connection._TRUSTED_SECONDS", -1.0)

    def works(pool: Any) -> bool:
        try:
            with pool.connection(0.5) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False

    with TcpProxy(database.server.port) as proxy, connect_postgres(database.environment(port=proxy.port)) as pool:
        pool.wait()
        proxy.reset()
        assert not works(pool)
        assert not works(pool)
        proxy.heal()
        eventually(lambda: works(pool))


def test_an_asynchronous_pool_belongs_to_its_event_loop(database: PostgresDatabase) -> None:
    async def both() -> Any:
        first = await connect_postgres_async(database.environment())
        second = await connect_postgres_async(database.environment())
        assert first is second
        async with first, first.connection() as connection:
            assert await (await connection.execute("SELECT 1")).fetchone() == (1,)
        return first

    assert asyncio.run(both()) is not asyncio.run(both())


def test_a_worker_without_postgresql_does_not_load_its_client(postgres: PostgresServer) -> None:
    program = "import sys, fargate_workers_runtime as f; f.run; print([n for n in sys.modules if 'psycopg' in n])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert answer.stdout.strip() == b"[]"
