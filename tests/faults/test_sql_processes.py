"""Processes that use PostgreSQL, whole: what they relay, and how they end."""

from collections.abc import Callable, Iterator
from signal import SIGKILL

import pytest

from fargate_workers_runtime import outbox
from tests.doubles.postgres_server import WORKER, PostgresDatabase, PostgresServer
from tests.faults.program import Plan
from tests.faults.relay_program import relay
from tests.faults.rig import Rig, until
from tests.faults.sql_program import work_with_sql


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PostgresDatabase]:
    database = postgres.create_database()
    database.execute(f"CREATE TABLE orders (id text, amount integer); GRANT INSERT ON orders TO {WORKER}")
    yield database
    database.drop()


def send(database: PostgresDatabase, rig: Rig, *order_ids: str) -> None:
    with database.connect(user=WORKER) as connection:
        for order_id in order_ids:
            outbox.send(connection, rig.url, {"order_id": order_id})


def waiting(database: PostgresDatabase) -> int:
    return len(database.execute("SELECT 1 FROM message_outbox"))


def test_a_relay_sends_what_waits_and_ends_when_it_is_asked_to(rig: Rig, database: PostgresDatabase) -> None:
    send(database, rig, "1", "2")
    process = rig.start("relay", program=relay, **database.environment())
    until(lambda: waiting(database) == 0)
    assert sorted(message.body for message in rig.messages) == ['{"order_id": "1"}', '{"order_id": "2"}']
    until((rig.folder / "healthy").exists)
    assert process.stop() == 0


@pytest.mark.fault(53)
def test_a_relay_that_is_killed_is_followed_by_another_and_nothing_is_lost(
    rig: Rig, database: PostgresDatabase
) -> None:
    send(database, rig, *map(str, range(300)))
    first = rig.start("first", program=relay, **database.environment())
    until(lambda: len(rig.messages) >= 20)
    first.send(SIGKILL)
    first.ended()
    rig.start("second", program=relay, **database.environment())
    until(lambda: waiting(database) == 0)
    assert {message.body for message in rig.messages} == {f'{{"order_id": "{number}"}}' for number in range(300)}


def test_a_worker_relays_and_handles_what_it_has_relayed(rig: Rig, database: PostgresDatabase) -> None:
    send(database, rig, "1")
    process = rig.start("worker", program=work_with_sql, **database.environment())
    until(lambda: database.execute("SELECT 1 FROM orders WHERE id = '1'"))
    until(lambda: rig.empty)
    assert process.stop() == 0


@pytest.mark.parametrize("program", [work_with_sql, relay])
def test_a_process_whose_database_lacks_a_table_ends_with_2(
    rig: Rig, database: PostgresDatabase, program: Callable[[Plan], None]
) -> None:
    database.execute("DROP TABLE message_outbox")
    process = rig.start("first", program=program, **database.environment())
    assert process.ended() == 2
    assert "lacks the table message_outbox" in (rig.folder / "first.log").read_text()
