"""Messages sent in a transaction: a row each, written with the effect, which the relay sends once it is committed.

`outbox.send(connection, queue, body)` writes one in the transaction of psycopg's or SQLAlchemy's connection, and
`await outbox.send_async(connection, queue, body)` in that of psycopg's AsyncConnection or asyncpg's. Both take
`attributes=`, `group_id=`, `deduplication_id=` and `delay=`, and refuse with ValueError what SQS would refuse.
"""

import json
import re
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fargate_workers_runtime.sql.drivers import AUTOCOMMIT, AsyncDriver, Driver, Row, Statement, driver_of

#: The most that SQS carries, attributes included, and the most attributes of a message.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
_MOST_BYTES, _MOST_ATTRIBUTES = 1024 * 1024, 10

#: Characters that SQS refuses: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_REFUSED = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

INSERT = Statement("""
INSERT INTO message_outbox (queue_url, body, attributes, group_id, deduplication_id, due_at)
VALUES ({queue}, {body}, CAST({attributes} AS jsonb), {group}, {deduplication}, now() + make_interval(secs => {delay}))
RETURNING CAST(id AS text)
""")

#: Set when this process has written a row: the relay looks again soon.
written: threading.Event = threading.Event()


def send(
    connection: Any,
    queue: str,
    body: Any,
    *,
    attributes: Mapping[str, str] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    delay: timedelta | float = 0,
) -> str:
    """Send a message with the transaction of `connection`: once that is committed, and never if it is rolled back.

    It is sent at least once. A FIFO queue removes a repetition by its deduplication id, within five minutes.

    Args:
        connection: A connection of psycopg 3, or SQLAlchemy's Connection or Session.
        queue: The URL of the queue. The relay's task role must be allowed to send to it.
        body: The payload: a string is sent as it is, anything else as JSON.
        attributes: String attributes, at most ten. Default: none.
        group_id: The message group. A FIFO queue needs one, and its messages keep the order in which they were written.
            Default: none.
        deduplication_id: For a FIFO queue. Default: the row's own id.
        delay: How long the relay waits, as a timedelta or in seconds; not in a FIFO queue. Default: 0.

    Returns:
        The row's id.

    Raises:
        TypeError: The connection is none of these, or commits each statement by itself.
        ValueError: SQS would refuse the message.
    """
    driver = driver_of(connection)
    if not isinstance(driver, Driver):
        raise TypeError("The connection is asynchronous; write `await outbox.send_async(connection, …)`.")
    values = _values(driver, queue, body, attributes, group_id, deduplication_id, delay)
    return _written(driver.fetch(INSERT, values))


async def send_async(
    connection: Any,
    queue: str,
    body: Any,
    *,
    attributes: Mapping[str, str] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    delay: timedelta | float = 0,
) -> str:
    """As `send`, with a connection whose calls are awaited: psycopg's AsyncConnection, or asyncpg's.

    Args:
        connection: The connection.
        queue: The URL of the queue.
        body: The payload: a string is sent as it is, anything else as JSON.
        attributes: String attributes, at most ten. Default: none.
        group_id: The message group. Default: none.
        deduplication_id: For a FIFO queue. Default: the row's own id.
        delay: How long the relay waits, as a timedelta or in seconds; not in a FIFO queue. Default: 0.

    Returns:
        The row's id.

    Raises:
        TypeError: The connection is none of these, or commits each statement by itself.
        ValueError: SQS would refuse the message.
    """
    driver = driver_of(connection)
    if not isinstance(driver, AsyncDriver):
        raise TypeError("The connection is synchronous; write `outbox.send(connection, …)`.")
    values = _values(driver, queue, body, attributes, group_id, deduplication_id, delay)
    return _written(await driver.fetch_async(INSERT, values))


def size_of(body: str, attributes: Mapping[str, str]) -> int:
    """The bytes that SQS counts: the body, and each attribute's name, type and value.

    Args:
        body: The text of the message.
        attributes: Its string attributes.
    """
    named = sum(len(name.encode()) + len("String") + len(value.encode()) for name, value in attributes.items())
    return len(body.encode()) + named


def _values(
    driver: Driver | AsyncDriver,
    queue: str,
    body: Any,
    attributes: Mapping[str, str] | None,
    group_id: str | None,
    deduplication_id: str | None,
    delay: timedelta | float,
) -> dict[str, Any]:
    if not driver.in_transaction():
        raise TypeError(AUTOCOMMIT)
    text = body if isinstance(body, str) else json.dumps(body)
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
    _check_queue(queue, group_id, deduplication_id, seconds)
    _check_text(text, dict(attributes or {}))
    return {
        "queue": queue,
        "body": text,
        "attributes": json.dumps(dict(attributes or {})),
        "group": group_id,
        "deduplication": deduplication_id,
        "delay": seconds,
    }


def _check_queue(queue: str, group_id: str | None, deduplication_id: str | None, delay: float) -> None:
    fifo = queue.endswith(".fifo")
    if not queue.startswith(("https://", "http://")):
        raise ValueError(f"{queue!r} is no URL of a queue; pass what the queue's QUEUE_URL variable has.")
    if fifo and not group_id:
        raise ValueError(f"A message to {queue.rsplit('/', 1)[-1]} needs a group_id: the queue is FIFO.")
    if fifo and delay:
        raise ValueError("A message to a FIFO queue has no delay of its own: its group would wait with it.")
    if deduplication_id and not fifo:
        raise ValueError("A deduplication_id is for FIFO queues; the queue is standard.")
    if delay < 0:
        raise ValueError(f"The delay is {delay:g} s; make it 0 or more.")


def _check_text(body: str, attributes: Mapping[str, str]) -> None:
    if not body:
        raise ValueError("The body is empty, which SQS refuses.")
    if found := _REFUSED.search(body):
        raise ValueError(f"The body has a character that SQS refuses, U+{ord(found.group()):04X}; send it as base64.")
    if len(attributes) > _MOST_ATTRIBUTES:
        raise ValueError(f"There are {len(attributes)} attributes; SQS takes {_MOST_ATTRIBUTES}.")
    if not all(name and value for name, value in attributes.items()):
        raise ValueError("An attribute has no name or no value, which SQS refuses.")
    if (size := size_of(body, attributes)) > _MOST_BYTES:
        raise ValueError(f"The message is {size} bytes long; SQS takes {_MOST_BYTES}: store it, and send its place.")


def _written(row: Row) -> str:
    written.set()
    return str(row[0]) if row else ""
