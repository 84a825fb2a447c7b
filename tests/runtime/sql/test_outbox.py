"""Messages that are sent with a transaction: all of those that were committed, and none that was rolled back."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, cast

import asyncpg
import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from fargate_workers_runtime import Message, PostgresSettings, outbox
from fargate_workers_runtime.sql import Relay
from fargate_workers_runtime.telemetry import Metrics
from tests.doubles.postgres_server import WORKER, PostgresDatabase
from tests.patience import until
from tests.runtime.sql.conftest import Pool, Work
from tests.runtime.sql.sqs_in_memory import SqsInMemory

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111111111111/shipments"
OTHER = "https://sqs.eu-west-1.amazonaws.com/111111111111/invoices"
FIFO = f"{QUEUE}.fifo"


@pytest.fixture
def sqs() -> SqsInMemory:
    return SqsInMemory()


@pytest.fixture
def relay(pool: Pool, sqs: SqsInMemory) -> Relay:
    return Relay(pool, lambda: cast("Any", sqs))


def waiting(database: PostgresDatabase) -> list[str]:
    return [body for (body,) in database.execute("SELECT body FROM message_outbox ORDER BY position")]


def test_what_is_committed_is_sent_once_and_what_is_rolled_back_never(
    database: PostgresDatabase, pool: Pool, relay: Relay, sqs: SqsInMemory
) -> None:
    with pool.connection() as connection:
        row = outbox.send(connection, QUEUE, {"order_id": "1"}, attributes={"kind": "order"})
    with pool.connection() as connection:
        outbox.send(connection, QUEUE, {"order_id": "2"})
        connection.rollback()
    assert relay.look() == 1
    assert relay.look() == 0
    assert sqs.sent == [
        (
            QUEUE,
            {
                "Id": "0",
                "MessageBody": '{"order_id": "1"}',
                "MessageAttributes": {"kind": {"DataType": "String", "StringValue": "order"}},
            },
        )
    ]
    assert len(row) == 36
    assert waiting(database) == []


def test_effect_claim_and_message_are_one(
    database: PostgresDatabase, pool: Pool, work: Work, relay: Relay, sqs: SqsInMemory
) -> None:
    def handle(message: Message) -> None:
        with pool.connection() as connection, message.effect_in(connection):
            connection.execute("INSERT INTO orders VALUES (%s, 1)", (message.body["id"],))
            outbox.send(connection, QUEUE, message.body)
            if message.body["id"] == "2":
                raise ValueError

    work(handle, {"id": "1"}, {"id": "1"}, {"id": "2"})
    relay.look()
    assert sqs.bodies() == ['{"id": "1"}']
    assert database.execute("SELECT id FROM orders") == [("1",)]


async def _with_psycopg_async(database: PostgresDatabase) -> None:
    async with await psycopg.AsyncConnection.connect(**database.parameters(user=WORKER)) as connection:
        await outbox.send_async(connection, QUEUE, "text")


async def _with_asyncpg(database: PostgresDatabase) -> None:
    settings = PostgresSettings.from_environment(database.environment())
    connection = await asyncpg.connect(
        host=settings.host,
        port=settings.port,
        database=settings.name,
        user=settings.user,
        password=settings.password,
        ssl=settings.ssl_context(),
    )
    with pytest.raises(TypeError, match="begin a transaction first"):
        await outbox.send_async(connection, QUEUE, "text")
    async with connection.transaction():
        await outbox.send_async(connection, QUEUE, "text")
    await connection.close()


def _with_sqlalchemy(database: PostgresDatabase) -> None:
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: database.connect(user=WORKER), poolclass=sqlalchemy.NullPool
    )
    with engine.begin() as connection:
        outbox.send(connection, QUEUE, "text")
    with Session(engine) as session, session.begin():
        outbox.send(session, QUEUE, "text")


def test_every_driver_sends(database: PostgresDatabase) -> None:
    import asyncio

    asyncio.run(_with_psycopg_async(database))
    asyncio.run(_with_asyncpg(database))
    _with_sqlalchemy(database)
    assert waiting(database) == ["text"] * 4


def test_a_connection_in_autocommit_is_refused(database: PostgresDatabase) -> None:
    with (
        database.connect(user=WORKER, autocommit=True) as connection,
        pytest.raises(TypeError, match="begin a transaction first"),
    ):
        outbox.send(connection, QUEUE, "text")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"queue": "shipments"}, "'shipments' is no URL of a queue"),
        ({"queue": FIFO}, "A message to shipments.fifo needs a group_id"),
        ({"queue": FIFO, "group_id": "1", "delay": 5}, "has no delay of its own"),
        ({"deduplication_id": "1"}, "A deduplication_id is for FIFO queues"),
        ({"delay": -1}, "The delay is -1 s; make it 0 or more."),
        ({"body": ""}, "The body is empty"),
        ({"body": "a\0"}, r"The body has a character that SQS refuses, U\+0000"),
        ({"body": "x" * 1024 * 1024, "attributes": {"a": "b"}}, "The message is 1048584 bytes long"),
        ({"attributes": {str(number): "x" for number in range(11)}}, "There are 11 attributes; SQS takes 10."),
        ({"attributes": {"kind": ""}}, "An attribute has no name or no value"),
    ],
)
def test_what_sqs_would_refuse_is_refused_before_it_is_written(
    database: PostgresDatabase, pool: Pool, arguments: dict[str, Any], sentence: str
) -> None:
    values = {"queue": QUEUE, "body": "text", **arguments}
    with pytest.raises(ValueError, match=sentence), pool.connection() as connection:
        outbox.send(connection, values.pop("queue"), values.pop("body"), **values)
    assert waiting(database) == []


def test_a_message_with_a_delay_waits_in_the_outbox(
    database: PostgresDatabase, pool: Pool, relay: Relay, sqs: SqsInMemory
) -> None:
    with pool.connection() as connection:
        outbox.send(connection, QUEUE, "later", delay=timedelta(hours=2))
        outbox.send(connection, QUEUE, "now")
    relay.look()
    assert sqs.bodies() == ["now"]
    database.execute("UPDATE message_outbox SET due_at = now()")
    relay.look()
    assert sqs.bodies() == ["now", "later"]


def test_many_go_in_full_batches(pool: Pool, relay: Relay, sqs: SqsInMemory) -> None:
    with pool.connection() as connection:
        for number in range(250):
            outbox.send(connection, QUEUE, str(number))
    assert relay.look() == 250
    assert sqs.bodies() == [str(number) for number in range(250)]
    assert sqs.batches == [10] * 25


def test_a_fifo_group_keeps_its_order_and_an_entry_that_fails_holds_up_its_group_alone(
    database: PostgresDatabase, pool: Pool, relay: Relay, sqs: SqsInMemory
) -> None:
    with pool.connection() as connection:
        ids = [outbox.send(connection, FIFO, f"{group}{number}", group_id=group) for number in "123" for group in "ab"]
    sqs.failing = lambda entry: "InternalError" if entry["MessageBody"] == "a2" else None
    relay.look()
    assert sqs.bodies() == ["a1", "b1", "b2", "b3"]
    assert [entry["MessageDeduplicationId"] for _, entry in sqs.sent] == [ids[0], ids[1], ids[3], ids[5]]
    sqs.failing = lambda _entry: None
    relay.look()  # a2 waits for its next try, and a3 with it
    assert waiting(database) == ["a2", "a3"]
    database.execute("UPDATE message_outbox SET due_at = now()")
    relay.look()
    assert sqs.bodies()[4:] == ["a2", "a3"]


def test_a_message_that_sqs_refuses_is_parked_with_its_reason_and_counted(
    database: PostgresDatabase, pool: Pool, relay: Relay, sqs: SqsInMemory, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pool.connection() as connection:
        for number in "123":
            outbox.send(connection, FIFO, number, group_id="a")
    sqs.failing = lambda entry: "InvalidMessageContents" if entry["MessageBody"] == "2" else None
    relay.look()
    assert sqs.bodies() == ["1", "3"]
    assert database.execute("SELECT body, parked_reason FROM message_outbox") == [("2", "InvalidMessageContents: ")]
    assert [record.message for record in caplog.records].count("outbox_parked") == 1
    assert relay.gauges() == {"OutboxWaiting": 0, "OutboxParked": 1, "OutboxOldest": 0.0}


def test_a_queue_that_does_not_answer_holds_up_no_other(
    database: PostgresDatabase, pool: Pool, relay: Relay, sqs: SqsInMemory, caplog: pytest.LogCaptureFixture
) -> None:
    with pool.connection() as connection:
        for number in range(30):
            outbox.send(connection, QUEUE, str(number))
        outbox.send(connection, OTHER, "other")
    sqs.down = {QUEUE}
    relay.look()
    assert sqs.bodies() == ["other"]
    assert sqs.batches.count(10) == 1
    assert len(waiting(database)) == 30
    assert database.execute("SELECT max(tries) FROM message_outbox") == [(1,)]
    sqs.down = set()
    database.execute("UPDATE message_outbox SET due_at = now()")
    assert relay.look() == 30


def test_a_relay_that_dies_after_sending_leaves_the_rows_and_they_are_sent_again(
    database: PostgresDatabase, pool: Pool, relay: Relay, sqs: SqsInMemory
) -> None:
    with pool.connection() as connection:
        outbox.send(connection, FIFO, "1", group_id="a")
    sending = sqs.send_message_batch

    def die(**request: Any) -> Any:
        sending(**request)
        database.server.restart()
        return {}

    sqs.send_message_batch = die  # type: ignore[method-assign]
    with pytest.raises(psycopg.OperationalError):
        relay.look()
    del sqs.send_message_batch
    _until_looked(relay)
    (first, second) = [entry["MessageDeduplicationId"] for _, entry in sqs.sent]
    assert first == second
    assert waiting(database) == []


def test_two_relays_send_each_message_once_and_keep_the_order_of_groups(
    database: PostgresDatabase, pool: Pool, sqs: SqsInMemory
) -> None:
    with pool.connection() as connection:
        for number in range(300):
            outbox.send(connection, FIFO, str(number), group_id=f"group-{number % 7}")
            outbox.send(connection, QUEUE, f"standard {number}")
    lock, sending = threading.Lock(), sqs.send_message_batch

    def one_at_a_time(**request: Any) -> Any:
        with lock:
            return sending(**request)

    sqs.send_message_batch = one_at_a_time  # type: ignore[method-assign]

    def run(_number: int) -> None:
        relay = Relay(pool, lambda: cast("Any", sqs))
        while waiting(database):
            relay.look()

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(run, range(3)))
    assert sorted(sqs.bodies()) == sorted(
        [str(number) for number in range(300)] + [f"standard {number}" for number in range(300)]
    )
    for group in range(7):
        sent = [int(entry["MessageBody"]) for _, entry in sqs.sent if entry.get("MessageGroupId") == f"group-{group}"]
        assert sent == sorted(sent)


def test_a_relay_looks_ever_more_rarely_and_at_once_after_a_message_was_written(pool: Pool, sqs: SqsInMemory) -> None:
    now, looks = [0.0], []
    relay = Relay(pool, lambda: cast("Any", sqs), clock=lambda: now[0])
    look = relay.look
    relay.look = lambda: (looks.append(now[0]), look())[1]  # type: ignore[method-assign]
    outbox.written.clear()
    for second in range(60):
        now[0] = float(second)
        relay.tick()
    assert looks == [0, 2, 6, 14, 29, 44, 59]
    with pool.connection() as connection:
        outbox.send(connection, QUEUE, "1")
    now[0] = 60
    relay.tick()
    assert sqs.bodies() == ["1"]


def test_what_waits_is_in_the_metrics_once_the_outbox_is_in_use(
    database: PostgresDatabase, pool: Pool, relay: Relay
) -> None:
    lines: list[str] = []
    metrics = Metrics("orders", write=lines.append)
    metrics.observe(relay.gauges)
    metrics.flush()
    assert "Outbox" not in lines[0]
    with pool.connection() as connection:
        outbox.send(connection, QUEUE, "1")
    database.execute("UPDATE message_outbox SET due_at = now() - interval '90 seconds'")
    metrics.flush()
    assert '"OutboxWaiting":1,"OutboxParked":0,"OutboxOldest":9' in lines[1]
    assert '{"Name":"OutboxOldest","Unit":"Seconds"}' in lines[1]


@pytest.mark.parametrize(("tries", "pauses"), [(0, 0), (1, 1), (3, 7), (9, 511), (10, 811), (12, 1_411)])
def test_a_message_that_was_put_off_is_as_old_as_when_it_was_due_first(
    database: PostgresDatabase, pool: Pool, relay: Relay, tries: int, pauses: int
) -> None:
    with pool.connection() as connection:
        outbox.send(connection, QUEUE, "1")
    # Put off by each try in turn, and due again in a minute.
    database.execute(f"UPDATE message_outbox SET tries = {tries}, due_at = now() + interval '60 seconds'")

    seconds = relay.gauges()["OutboxOldest"]
    assert max(0, pauses - 60) <= seconds < pauses + 600  # nor is it taken for much older


def test_a_queue_that_refuses_for_long_makes_the_outbox_old(
    database: PostgresDatabase, pool: Pool, relay: Relay, sqs: SqsInMemory
) -> None:
    with pool.connection() as connection:
        outbox.send(connection, QUEUE, "1")
    sqs.down = {QUEUE}
    for _ in range(12):
        relay.look()
        database.execute("UPDATE message_outbox SET due_at = due_at - (due_at - now())")

    assert relay.gauges()["OutboxOldest"] > 1_000


def _until_looked(relay: Relay) -> None:
    def looked() -> bool:
        try:
            relay.look()
        except psycopg.OperationalError:
            return False
        return True

    until(looked)
