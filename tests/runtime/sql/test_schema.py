"""The tables: what the command prints is what the runtime needs, and a worker says at its start what is missing."""

import logging

import pytest
from typer.testing import CliRunner

from fargate_workers_runtime import PostgresSettings, SettingsError
from fargate_workers_runtime.sql import check_schema
from fargate_workers_toolkit.command import app
from tests.doubles.postgres_server import WORKER, PostgresDatabase, PostgresServer


def look(database: PostgresDatabase, **changes: str) -> None:
    check_schema(PostgresSettings.from_environment(database.environment(**changes)))


def test_what_the_command_prints_is_what_a_worker_needs(postgres: PostgresServer) -> None:
    database = postgres.create_database(tables=False)
    printed = CliRunner().invoke(app, ["database", "schema", "--authentication", "password"]).stdout
    for _ in range(2):  # to run it again is harmless
        database.execute(printed)
    look(database)


def test_with_iam_the_role_may_use_tokens_and_its_name_is_quoted() -> None:
    printed = CliRunner().invoke(app, ["database", "schema", "--user", 'o"rders']).stdout
    assert 'CREATE ROLE "o""rders" LOGIN;' in printed
    assert 'GRANT rds_iam TO "o""rders";' in printed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("DROP TABLE message_claims", "lacks the table message_claims; run what `fargate-workers database schema"),
        ("DROP TABLE message_outbox", "lacks the table message_outbox"),
        ("ALTER TABLE message_claims DROP COLUMN payload", "lacks the column payload of message_claims"),
        (f"REVOKE INSERT ON message_claims FROM {WORKER}", "lacks the right of its user to INSERT message_claims"),
        (f"REVOKE UPDATE ON message_outbox FROM {WORKER}", "lacks the right of its user to UPDATE message_outbox"),
    ],
)
def test_what_is_missing_is_one_sentence(postgres: PostgresServer, change: str, sentence: str) -> None:
    database = postgres.create_database()
    database.execute(change)
    with pytest.raises(SettingsError, match=sentence):
        look(database)


def test_a_replicas_endpoint_is_refused(postgres: PostgresServer) -> None:
    database = postgres.create_database()
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    with pytest.raises(SettingsError, match=r"DATABASE_HOST is '127\.0\.0\.1', which leads to a replica"):
        look(database)


def test_a_database_that_does_not_answer_is_no_reason_not_to_start(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    look(postgres.create_database(), DATABASE_PASSWORD="wrong")
    assert [record.message for record in caplog.records] == ["database_unavailable"]
