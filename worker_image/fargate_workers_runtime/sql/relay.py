"""The relay: it sends what transactions have written into the outbox, and removes what SQS has.

Several may run. A row belongs to the one that has locked it, and a FIFO group to the one that has its advisory lock, so
that no relay sends a group's second message while another is at its first. What was sent is deleted in the same
transaction: a relay that dies between the two leaves the row, and the message is sent again.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool

from fargate_workers_runtime.brokers.sqs import batches
from fargate_workers_runtime.sql import outbox
from fargate_workers_runtime.telemetry import GaugeName

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

_log = logging.getLogger(__name__)

#: Rows of one transaction, and rows among which their groups are looked for.
_ROWS, _CANDIDATES = 100, 1000

#: Transactions of one look.
_MOST_TRANSACTIONS = 20

#: The pause after a look that found something, and the longest after many that found nothing, in seconds.
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 15.0

#: The longest pause before a message that could not be sent is tried again, in seconds.
_LONGEST_BACKOFF = 300
#: With the tries until the pause, which doubles each time, is as long as that.
_BACKOFF = {"longest": _LONGEST_BACKOFF, "doublings": _LONGEST_BACKOFF.bit_length()}

#: How long the relay waits for a connection, in seconds.
_PATIENCE_SECONDS = 5.0

# The locks come first, in a statement of their own: the next one then sees all that their last owner has done.
_LOCK_GROUPS = b"""
SELECT queue_url, group_id FROM (
    SELECT DISTINCT queue_url, group_id FROM (
        SELECT queue_url, group_id FROM message_outbox WHERE parked_reason IS NULL AND due_at <= now()
        ORDER BY position LIMIT %(candidates)s
    ) AS next WHERE group_id IS NOT NULL AND right(queue_url, 5) = '.fifo'
) AS groups WHERE pg_try_advisory_xact_lock(hashtextextended(queue_url || ' ' || group_id, 0))
"""

_NEXT = b"""
SELECT position, CAST(id AS text) AS id, queue_url, body, attributes, group_id, deduplication_id
FROM message_outbox AS mine
WHERE parked_reason IS NULL AND due_at <= now() AND (
    right(queue_url, 5) <> '.fifo'
    OR (queue_url, group_id) IN (SELECT * FROM unnest(%(queues)s::text[], %(groups)s::text[]))
    AND NOT EXISTS (
        SELECT FROM message_outbox AS earlier
        WHERE earlier.queue_url = mine.queue_url AND earlier.group_id = mine.group_id
        AND earlier.parked_reason IS NULL AND earlier.position < mine.position AND earlier.due_at > now()
    )
)
ORDER BY position LIMIT %(rows)s FOR UPDATE SKIP LOCKED
"""

_SENT = b"DELETE FROM message_outbox WHERE position = ANY(%(positions)s)"

_LATER = b"""
UPDATE message_outbox SET tries = tries + 1,
    due_at = now() + make_interval(secs => LEAST(%(longest)s, 2 ^ LEAST(tries, 10)))
WHERE position = ANY(%(positions)s)
"""

_PARK = b"UPDATE message_outbox SET parked_reason = %(reason)s, tries = tries + 1 WHERE position = %(position)s"

# A try that fails puts the row off, and the row is late all the same: the pauses before its tries are taken back.
_WAITING = b"""
SELECT count(*) FILTER (WHERE parked_reason IS NULL), count(*) FILTER (WHERE parked_reason IS NOT NULL),
    coalesce(extract(epoch FROM now() - min(first_due_at) FILTER (WHERE parked_reason IS NULL)), 0)
FROM (
    SELECT parked_reason, due_at - make_interval(secs => CASE
        WHEN tries <= %(doublings)s THEN 2 ^ tries - 1
        ELSE 2 ^ %(doublings)s - 1 + %(longest)s * (tries - %(doublings)s)
    END) AS first_due_at
    FROM message_outbox LIMIT 100000
) AS kept
"""


@dataclass(frozen=True, kw_only=True)
class _Message:
    position: int
    id: str
    queue_url: str
    body: str
    attributes: dict[str, str]
    group_id: str | None
    deduplication_id: str | None

    @property
    def fifo(self) -> bool:
        return self.queue_url.endswith(".fifo")

    @property
    def size(self) -> int:
        return outbox.size_of(self.body, self.attributes)

    def entry(self, number: int) -> dict[str, Any]:
        entry: dict[str, Any] = {"Id": str(number), "MessageBody": self.body}
        if self.attributes:
            entry["MessageAttributes"] = {
                name: {"DataType": "String", "StringValue": value} for name, value in self.attributes.items()
            }
        if self.group_id:
            entry["MessageGroupId"] = self.group_id
        if self.fifo:
            entry["MessageDeduplicationId"] = self.deduplication_id or self.id
        return entry


@dataclass(kw_only=True)
class _Round:
    """What became of the messages of one transaction; what is in none of these was not tried."""

    sent: list[int] = field(default_factory=list[int])
    later: list[int] = field(default_factory=list[int])
    parked: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


class Relay:
    """One of the relays of an outbox.

    Args:
        pool: The connections to the database.
        client: Makes the client of SQS, when there is something to send for the first time.
        longest_pause: The longest pause after many looks that found nothing, in seconds. Default: 15.
        clock: What pauses go by.
    """

    def __init__(
        self,
        pool: "ConnectionPool[psycopg.Connection[Any]]",
        client: "Callable[[], SQSClient]",
        *,
        longest_pause: float = LONGEST_PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._make = client
        self._client: SQSClient | None = None
        self._longest_pause = longest_pause
        self._clock = clock
        self._lock = threading.Lock()
        self._pause = SHORTEST_PAUSE
        self._due_at = 0.0
        self._in_use = False

    def tick(self) -> None:
        """Look, if it is time: often while there is something, and ever more rarely while there is nothing."""
        if outbox.written.is_set():
            outbox.written.clear()
            self._pause, self._due_at = SHORTEST_PAUSE, 0.0
        if self._clock() < self._due_at:
            return
        found = 0
        try:
            found = self.look()
        finally:
            self._pause = SHORTEST_PAUSE if found else min(self._longest_pause, 2 * self._pause)
            self._due_at = self._clock() + (0 if found else self._pause)

    def look(self) -> int:
        """Send what is due and belongs to no other relay; returns how many messages were sent."""
        total = 0
        with self._lock, self._pool.connection(_PATIENCE_SECONDS) as connection:
            for _ in range(_MOST_TRANSACTIONS):
                with connection.transaction():
                    taken, sent = self._send_some(connection)
                total += sent
                if taken < _ROWS:
                    break
        return total

    def gauges(self) -> dict[GaugeName, float]:
        """What waits and what is parked, as metrics; nothing as long as the outbox was never in use."""
        with self._pool.connection(_PATIENCE_SECONDS) as connection:
            row = connection.execute(_WAITING, _BACKOFF).fetchone() or (0, 0, 0)
        waiting, parked, oldest = row
        self._in_use = self._in_use or bool(waiting or parked)
        if not self._in_use:
            return {}
        return {"OutboxWaiting": waiting, "OutboxParked": parked, "OutboxOldest": max(0.0, float(oldest))}

    def _send_some(self, connection: "psycopg.Connection[Any]") -> tuple[int, int]:
        groups = connection.execute(_LOCK_GROUPS, {"candidates": _CANDIDATES}).fetchall()
        values = {"queues": [queue for queue, _ in groups], "groups": [group for _, group in groups], "rows": _ROWS}
        with connection.cursor(row_factory=class_row(_Message)) as cursor:
            messages = cursor.execute(_NEXT, values).fetchall()
        if not messages:
            return 0, 0
        self._in_use = True
        done = self._send(messages)
        if done.sent:
            connection.execute(_SENT, {"positions": done.sent})
        if done.later:
            connection.execute(_LATER, {"positions": done.later, "longest": _LONGEST_BACKOFF})
        for position, reason in done.parked:
            connection.execute(_PARK, {"position": position, "reason": reason})
        return len(messages), len(done.sent)

    def _send(self, messages: Sequence[_Message]) -> _Round:
        done = _Round()
        by_queue = sorted(messages, key=lambda each: each.queue_url)  # stable: the order of a queue's stays
        for _, of_queue in groupby(by_queue, key=lambda each: each.queue_url):
            for wave in _waves(list(of_queue), done):
                if not all(self._send_batch(batch, done) for batch in batches(wave, size_of=lambda each: each.size)):
                    break  # the queue answers nothing: the rest of its messages need not be tried now
        return done

    def _send_batch(self, batch: Sequence[_Message], done: _Round) -> bool:
        """Send one batch; False if the request failed as a whole."""
        self._client = self._client or self._make()
        entries: Any = [each.entry(number) for number, each in enumerate(batch)]
        try:
            answer = self._client.send_message_batch(QueueUrl=batch[0].queue_url, Entries=entries)
        except Exception as error:
            fields = {"queue": batch[0].queue_url.rsplit("/", 1)[-1], "error": _code(error), "messages": len(batch)}
            _log.warning("outbox_not_sent", extra={"fields": fields})
            done.later += [each.position for each in batch]
            return False
        failed = {int(each["Id"]): each for each in answer.get("Failed", [])}
        for number, each in enumerate(batch):
            if (failure := failed.get(number)) is None:
                done.sent.append(each.position)
            elif failure["SenderFault"] and _is_poison(failure["Code"]):
                fields = {"outbox_id": each.id, "code": failure["Code"]}
                _log.error("outbox_parked", extra={"fields": fields})
                done.parked.append((each.position, f"{failure['Code']}: {failure.get('Message', '')}"))
            else:
                done.later.append(each.position)
        return True


def _waves(messages: Sequence[_Message], done: _Round) -> Iterator[list[_Message]]:
    """Groups of messages that may be in one request: of a FIFO group one at a time, for a batch may fail in part."""
    if not messages[0].fifo:
        yield list(messages)
        return
    groups: dict[str | None, list[_Message]] = {}
    for each in messages:
        groups.setdefault(each.group_id, []).append(each)
    while groups:
        yield [waiting.pop(0) for waiting in groups.values()]
        held_up = {each.group_id for each in messages if each.position in done.later}
        groups = {group: waiting for group, waiting in groups.items() if waiting and group not in held_up}


def _is_poison(code: str) -> bool:
    """Whether SQS refuses the message itself, and would refuse it again."""
    return not any(part in code.lower() for part in ("throttl", "kms", "denied"))


def _code(error: Exception) -> str:
    response: Any = getattr(error, "response", None)
    return str(response["Error"]["Code"]) if response else type(error).__name__
