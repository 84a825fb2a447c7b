"""The block of `message.effect_in`: it begins with the claim of its key, in the transaction of the effect.

One row per key, inserted before the effect and committed with it. The row's lock is the lease: another attempt that
inserts it meanwhile waits, and learns at the commit that the key is done, or at the rollback that it is free. The
commit is the fence: there is no moment at which the effect is there and the claim is not.
"""

from types import TracebackType
from typing import Any

from fargate_workers_runtime.claims import EffectAttempt
from fargate_workers_runtime.errors import EffectRefused, Refusal
from fargate_workers_runtime.sql.drivers import AUTOCOMMIT, AsyncDriver, Driver, Row, Statement, driver_of
from fargate_workers_runtime.sql.sqlstate import LOCK_NOT_AVAILABLE, READ_ONLY, sqlstate

#: One statement, so that the claim costs one round trip. It waits for another attempt at its key for 1,000 ms: longer,
#: and it would keep a handler's slot and a connection from messages that could run. That limit holds while the row is
#: inserted; what the handler does next has the limit of its connection again.
CLAIM = Statement("""
WITH patience AS MATERIALIZED (
    SELECT current_setting('lock_timeout') AS before, set_config('lock_timeout', '1000', true)
)
INSERT INTO message_claims (scope, key, payload, expires_at)
SELECT {scope}, {key}, {payload}, now() + make_interval(secs => {keep}) FROM patience
ON CONFLICT (scope, key) DO NOTHING
RETURNING set_config('lock_timeout', (SELECT before FROM patience), true)
""")

FIRST = Statement("SELECT payload FROM message_claims WHERE scope = {scope} AND key = {key}")

TWICE = (
    "message.effect_in was entered a second time in one attempt, after its first block had ended; put all effects of a "
    "message into one transaction."
)
REPLICA = "The connection cannot write: it leads to a replica, or its transaction is read-only; connect to the writer."


class EffectBlock:
    """One block, in the transaction of one connection.

    Args:
        driver: The connection.
        attempt: The attempt that enters it.
        scope: The worker's name.
        keep: How long the key is kept at least, in seconds.
    """

    def __init__(self, driver: Driver | AsyncDriver, attempt: EffectAttempt, *, scope: str, keep: float) -> None:
        self._driver = driver
        self._attempt = attempt
        self._values: dict[str, Any] = {
            "scope": scope,
            "key": attempt.key,
            "payload": attempt.payload,
            "keep": keep,
        }

    def __enter__(self) -> None:
        driver = self._driver
        if not isinstance(driver, Driver):
            raise TypeError("The connection is asynchronous; write `async with message.effect_in(connection):`.")
        self._begin()
        try:
            claimed = driver.run(CLAIM, self._values)
        except Exception as error:
            self._failed(error)
            raise
        if not claimed:
            first = driver.fetch(FIRST, self._values)
            driver.give_up()
            self._refuse(first)
        self._attempt.entered = True

    async def __aenter__(self) -> None:
        driver = self._driver
        if not isinstance(driver, AsyncDriver):
            raise TypeError("The connection is synchronous; write `with message.effect_in(connection):`.")
        self._begin()
        try:
            claimed = await driver.run_async(CLAIM, self._values)
        except Exception as error:
            self._failed(error)
            raise
        if not claimed:
            self._refuse(await driver.fetch_async(FIRST, self._values))
        self._attempt.entered = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._attempt.ended = kind is None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._attempt.ended = kind is None

    def _begin(self) -> None:
        if not self._driver.in_transaction():
            raise TypeError(AUTOCOMMIT)
        self._attempt.refused = None

    def _failed(self, error: Exception) -> None:
        """Raise what the runtime knows better than the driver."""
        code = sqlstate(error)
        if code == LOCK_NOT_AVAILABLE:
            raise self._refusal("held") from error
        if code == READ_ONLY:
            self._driver.discard()  # a writer that became a replica: the next connection finds the new one
            raise ConnectionError(REPLICA) from error

    def _refuse(self, first: Row) -> None:
        """End the attempt: the key is there. Without a row, it was removed since, and the next attempt has it."""
        if first is None:
            raise self._refusal("held")
        if self._attempt.ended:
            raise RuntimeError(TWICE)
        raise self._refusal("done" if first[0] == self._attempt.payload else "reused")

    def _refusal(self, why: Refusal) -> EffectRefused:
        self._attempt.refused = why
        return EffectRefused(why)


def effect_block(connection: Any, attempt: EffectAttempt, *, scope: str, keep: float) -> EffectBlock:
    """The block in the transaction of `connection`.

    Args:
        connection: The handler's connection.
        attempt: The attempt that enters it.
        scope: The worker's name.
        keep: How long the key is kept at least, in seconds.

    Raises:
        TypeError: The connection is of no driver that is known.
    """
    return EffectBlock(driver_of(connection), attempt, scope=scope, keep=keep)
