"""The PostgreSQL that tests run against refuses what the one in AWS refuses, and crashes when it is told to."""

import psycopg
import pytest

from tests.doubles.postgres_server import WORKER, PostgresServer


def test_a_connection_is_encrypted_and_its_certificate_checked(postgres: PostgresServer) -> None:
    database = postgres.create_database(tables=False)
    assert database.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [(True,)]
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(**{**database.parameters(), "sslrootcert": "system"})


def test_a_connection_without_tls_is_refused(postgres: PostgresServer) -> None:
    parameters = {**postgres.create_database(tables=False).parameters(), "sslmode": "disable"}
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(**parameters)


def test_a_restart_cuts_connections_and_keeps_what_was_committed(postgres: PostgresServer) -> None:
    database = postgres.create_database(tables=False)
    database.execute("CREATE TABLE orders (id text)")
    with database.connect() as connection:
        connection.execute("INSERT INTO orders VALUES ('lost')")
        database.execute("INSERT INTO orders VALUES ('kept')")
        postgres.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert database.execute("SELECT id FROM orders") == [("kept",)]


def test_a_worker_may_do_nothing_in_a_new_database(postgres: PostgresServer) -> None:
    database = postgres.create_database(tables=False)
    with database.connect(user=WORKER) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE TABLE orders (id text)")
