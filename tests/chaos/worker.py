"""A worker process of the chaos run: `run` as it ships, a handler that writes history, and faults on the way to AWS."""

import os
import random
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fargate_workers_runtime import Message, PoisonMessage, entry
from fargate_workers_runtime.dynamodb_claims import DynamoDbClaims
from tests.chaos.history import History
from tests.faults.injector import Fault, Injector
from tests.faults.program import session

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"order_id": {"type": "string"}, "does": {"type": "string"}},
    "required": ["order_id", "does"],
}

#: How many of a thousand messages kill their process at each of the steps around an effect.
SUICIDES_PER_THOUSAND = 1

#: How many of a thousand calls go wrong, and how.
_FAULTS: tuple[tuple[str, Any, int], ...] = (
    ("ReceiveMessage", "duplicate", 50),
    ("ReceiveMessage", "throttle", 5),
    ("DeleteMessageBatch", "partial", 50),
    ("DeleteMessageBatch", "error", 10),
    ("ChangeMessageVisibilityBatch", "partial", 50),
    ("SendMessageBatch", "partial", 50),
    ("UpdateItem", "throttle", 10),
    ("TransactWriteItems", "throttle", 10),
)
_CALLS = 20_000


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a process is started with. `folder` holds the history, the logs, and `healed` once the doomed succeed."""

    folder: Path
    process: int
    seed: int
    environment: Mapping[str, str]


def work(plan: Plan) -> None:
    """The process's life. It ends by the SystemExit of `run`, or by a signal."""
    os.environ.clear()
    os.environ.update(plan.environment)
    os.dup2(os.open(plan.folder / f"{plan.process}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    handler = Handler(plan)
    Injector(faults(plan.seed + plan.process)).install(session().events)
    entry.run(handler.handle, schema=SCHEMA, idempotency_key="/order_id")


def faults(seed: int) -> list[Fault]:
    """Which calls of one process go wrong."""
    chosen = random.Random(seed)
    return [
        Fault(operation, kind, calls=frozenset(chosen.sample(range(1, _CALLS), _CALLS * per_thousand // 1000)))
        for operation, kind, per_thousand in _FAULTS
    ]


class Handler:
    """Does what a message's `does` says."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed + plan.process)
        self._history = History(plan.folder / "history")
        original = DynamoDbClaims.complete

        def complete(claims: DynamoDbClaims, key: str, *, owner: str) -> bool:
            self._perhaps_die()  # the effect is made, and not recorded
            recorded = original(claims, key, owner=owner)
            if recorded:
                self._history.add("recorded", plan.process, key)
            self._perhaps_die()  # it is recorded, and the message not deleted
            return recorded

        DynamoDbClaims.complete = complete  # type: ignore[method-assign]

    def handle(self, message: Message) -> None:
        key, does = message.body["order_id"], message.body["does"]
        self._history.add("begun", self._plan.process, key)
        self._perhaps_die()
        if does == "refuse":
            raise PoisonMessage("refused")
        if does == "fail once" and message.receive_count == 1:
            raise RuntimeError("the first delivery fails")
        if does == "doomed" and not (self._plan.folder / "healed").exists():
            raise RuntimeError("not yet")
        if does in ("transact", "doomed"):
            message.transact([_count(key)])
        else:
            self._history.add("effect", self._plan.process, key)

    def _perhaps_die(self) -> None:
        if self._random.random() * 1000 < SUICIDES_PER_THOUSAND:
            self._history.add("killed", self._plan.process)
            os.kill(os.getpid(), signal.SIGKILL)


def _count(key: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": os.environ["CLAIMS_TABLE_NAME"],
            "Key": {"pk": {"S": f"effects#{key}"}},
            "UpdateExpression": "ADD effects :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }
