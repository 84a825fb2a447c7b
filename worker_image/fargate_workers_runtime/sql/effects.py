"""Claims in the transactions of a worker's handlers, and the upkeep of their table."""

import logging
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

from fargate_workers_runtime.claims import EffectAttempt
from fargate_workers_runtime.sql import sqlstate
from fargate_workers_runtime.sql.effect import EffectBlock, effect_block

_log = logging.getLogger(__name__)

#: Held while rows are removed: one worker of all does it. The number is arbitrary, and the same in every release.
PRUNING_LOCK = 7_215_310_941

#: Rows of one statement: it must not hold locks, nor make a log, that others wait for.
PRUNED_AT_ONCE = 1000

PRUNE = b"""
DELETE FROM message_claims WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM message_claims WHERE expires_at < now() ORDER BY expires_at LIMIT %(most)s
))
"""

#: The most statements of one go.
_MOST_STATEMENTS = 100

#: How long the runtime's own statements wait for a connection, in seconds.
_PATIENCE_SECONDS = 5.0


class PostgresEffects:
    """The claims of one `scope` (the worker's name), in whatever connection a handler has.

    Args:
        pool: The connections for the runtime's own statements.
        scope: The worker's name.
        keep: How long a key is kept at least, in seconds.
    """

    def __init__(self, pool: "ConnectionPool[psycopg.Connection[Any]]", *, scope: str, keep: float) -> None:
        self._pool = pool
        self._scope = scope
        self._keep = float(keep)

    def effect_in(self, connection: Any, attempt: EffectAttempt) -> EffectBlock:
        return effect_block(connection, attempt, scope=self._scope, keep=self._keep)

    def is_conflict(self, error: BaseException) -> bool:
        return sqlstate.is_conflict(error)

    def is_outage(self, error: BaseException) -> bool:
        return sqlstate.is_outage(error)

    def check(self) -> None:
        with self._pool.connection(_PATIENCE_SECONDS) as connection:
            connection.execute("SELECT FROM message_claims LIMIT 0")

    def prune(self) -> int:
        """Remove keys that have been kept for long enough, unless another worker does; returns how many.

        They go a thousand at a time, each thousand in a transaction of its own, and at most a hundred thousand.
        """
        removed = 0
        with self._pool.connection(_PATIENCE_SECONDS) as connection:
            for _ in range(_MOST_STATEMENTS):
                with connection.transaction():
                    locked = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (PRUNING_LOCK,)).fetchone()
                    if locked is None or not locked[0]:
                        return removed
                    gone = connection.execute(PRUNE, {"most": PRUNED_AT_ONCE}).rowcount
                removed += gone
                if gone < PRUNED_AT_ONCE:
                    break
        return removed
