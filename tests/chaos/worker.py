"""A worker process of the chaos run: `run` as it ships, and a handler that writes history."""

import ctypes
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from fargate_workers_runtime import Message, PoisonMessage
from fargate_workers_runtime.claims.dynamodb import DynamoDbClaims
from fargate_workers_runtime.claims.redis import RedisClaims
from fargate_workers_runtime.entry_points import run
from tests.chaos.history import History
from tests.chaos.manners import AsCoroutine, AsFunction, Manner
from tests.faults.program import session

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "does": {"type": "string"}, "fails": {"type": "integer"}},
    "required": ["order_id", "does"],
}


Kind = Literal["function", "coroutine"]

#: How long one that blocks the event loop does so, in seconds.
_BLOCKED = 1.0


@dataclass(frozen=True, kw_only=True)
class Life:
    """What a process is started with.

    Attributes:
        folder: Holds the history, the logs, `healed` once the doomed succeed, `down` while what handlers call is down.
        suicides: How many of a thousand messages kill their process at each of the steps around an effect.
        pace: Seconds that a handler takes at most, so that something can happen meanwhile.
        slow: Seconds that a slow handler takes.
        handler: Whether it is a function or a coroutine function.
    """

    folder: Path
    process: int
    seed: int
    suicides: float
    pace: float
    slow: float
    environment: Mapping[str, str]
    handler: Kind = "function"


def work(life: Life) -> None:
    """The process's life. It ends by the SystemExit of `run`, or by a signal."""
    die_with_parent()
    os.environ.clear()
    os.environ.update(life.environment)
    log = os.open(life.folder / f"{life.process}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    session()
    handler = Handler(life)
    handle = handler.handle_as_coroutine if life.handler == "coroutine" else handler.handle
    run(handle, schema=SCHEMA, idempotency_key="/order_id")


def die_with_parent() -> None:
    """Nobody outlives a run that is killed, not even a process that is frozen (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Handler:
    """Does what a message's `does` says."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._random = random.Random(life.seed + life.process)
        self._manner: Manner = AsCoroutine(self._random) if life.handler == "coroutine" else AsFunction()
        self._history = History(life.folder / "history")
        for claims in (DynamoDbClaims, RedisClaims):
            claims.complete = self._watched(claims.complete)  # type: ignore[method-assign]

    def handle(self, message: Message) -> None:
        _run_at_once(self.handle_as_coroutine(message))

    async def handle_as_coroutine(self, message: Message) -> None:
        key, does = message.body["order_id"], message.body["does"]
        self._history.add("begun", self._life.process, key, message.id)
        try:
            await self._work(message, key, does)
        except BaseException:
            self._history.add("raised", self._life.process, key, message.id)
            raise

    async def _work(self, message: Message, key: str, does: str) -> None:
        manner = self._manner
        if does == "kill" or (does == "kill twice" and self._tries_before(key) < 2):
            await manner.wait(0.2)  # its neighbours are at work by then
            self._die(os._exit)
        self._perhaps_die()
        await manner.wait(self._life.slow if does == "slow" else self._random.uniform(0, self._life.pace))
        if does == "refuse":
            raise PoisonMessage("refused")
        if does in ("overrun", "deaf") and self._tries_before(key) < 1:
            if does == "deaf":
                self._history.add("deaf", self._life.process, key, message.id)
            await manner.wait_for_ever(deaf=does == "deaf")
        if does == "block":
            time.sleep(_BLOCKED)
        if (self._life.folder / "down").exists():
            raise ConnectionError("what the handler calls is down")
        if does == "flaky" and self._tries_before(key) < message.body["fails"]:
            await manner.fail()
        if does == "doomed" and not (self._life.folder / "healed").exists():
            raise RuntimeError("not yet")
        if does in ("transact", "doomed") and os.environ["CLAIM_STORE"] == "dynamodb":
            await manner.call(partial(message.transact, [_count(key)]))
        else:
            self._history.add("effect", self._life.process, key, message.id)

    def _tries_before(self, key: str) -> int:
        """How often this was asked before, of the same key in all processes: a file with a byte for each time."""
        path = self._life.folder / f"attempts-{key}"
        with path.open("ab") as file:
            before = file.tell()
            file.write(b".")
        return before

    def _watched(self, original: Callable[..., bool]) -> Callable[..., bool]:
        def complete(claims: Any, key: str, *, owner: str) -> bool:
            self._perhaps_die()  # the effect is made, and not recorded
            recorded = original(claims, key, owner=owner)
            if recorded:
                self._history.add("recorded", self._life.process, key)
            self._perhaps_die()  # it is recorded, and the message not deleted
            return recorded

        return complete

    def _perhaps_die(self) -> None:
        if self._random.random() * 1000 < self._life.suicides:
            self._die(lambda _: os.kill(os.getpid(), signal.SIGKILL))

    def _die(self, how: Callable[[int], None]) -> None:
        self._history.add("killed", self._life.process)
        how(66)


def _run_at_once(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")


def _count(key: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": os.environ["CLAIMS_TABLE_NAME"],
            "Key": {"pk": {"S": f"effects#{key}"}},
            "UpdateExpression": "ADD effects :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
