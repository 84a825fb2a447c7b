"""A function whose handler claims its keys in the effect's own transaction."""

from typing import Any

import pytest

from fargate_workers_runtime import Message, connect_postgres, lambda_handler
from fargate_workers_runtime.testing import MemoryQueue
from tests.doubles.event_source import Context, event_of
from tests.doubles.postgres_server import PostgresDatabase

pytestmark = pytest.mark.usefixtures("end_functions")


@pytest.fixture
def variables(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Those of a function; they are set, too."""
    variables = {
        "WORKER_NAME": "shop/Orders",
        "QUEUE_URL": "http://127.0.0.1:9/1/orders",
        "AWS_REGION": "eu-west-1",
        "CLAIM_STORE": "postgres",
        **database.environment(),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("fargate_workers_runtime.process.begin_log", lambda: None)  # the log is pytest's here
    return variables


def test_an_order_is_written_once_however_often_its_batch_comes(
    database: PostgresDatabase, variables: dict[str, str]
) -> None:
    with connect_postgres(variables) as pool:

        def handle(message: Message) -> None:
            with pool.connection() as connection, message.effect_in(connection):
                connection.execute("INSERT INTO orders VALUES (%s, %s)", (message.body["id"], 1))

        function: Any = lambda_handler(handle, idempotency_key="/id")
        queue = MemoryQueue([{"id": each} for each in ("a", "b", "a", "c")])
        deliveries = queue.receive(10, wait=0, lease=420)
        for _ in range(2):  # Lambda loses the first answer
            answer = function(event_of(deliveries), Context(70))
        for _ in range(20):
            if answer == {"batchItemFailures": []}:
                break
            answer = function(event_of(deliveries), Context(70))
    assert answer == {"batchItemFailures": []}
    assert sorted(row[0] for row in database.execute("SELECT id FROM orders")) == ["a", "b", "c"]
