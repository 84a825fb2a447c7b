"""The counting server of the benchmarks, with transactions, a memory for effects, and answers that get lost.

python -m tests.chaos.server --lose 0.01 --seed 1
"""

import argparse
import asyncio
import random
import sys
import time
from typing import Any

from benchmarks.worker.dynamodb import Table, condition
from benchmarks.worker.server import Request, Server, ServiceError


class ChaosServer(Server):
    """Loses the answer to one request in so many, after it has done what was asked."""

    def __init__(self, *, lose: float, seed: int) -> None:
        super().__init__(latency=0)
        self._lose = lose
        self._random = random.Random(seed)
        self._lost = 0
        self._recorded: dict[str, float] = {}
        self._exact: dict[str, int] = {}

    async def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        status, answer = await super()._answer(request)
        if request.service and self._random.random() < self._lose:
            self._lost += 1
            raise ConnectionResetError
        return status, answer

    def _dynamodb(self, request: Request) -> dict[str, Any]:
        if request.action == "TransactWriteItems":
            return self._transact(request.body["TransactItems"])
        answer = super()._dynamodb(request)
        if request.action == "UpdateItem":
            self._remember(request.body)
        return answer

    def _transact(self, writes: list[dict[str, Any]]) -> dict[str, Any]:
        """Updates of items, all or none."""
        updates = [write["Update"] for write in writes]
        reasons = [self._reason(update) for update in updates]
        if any(reason["Code"] != "None" for reason in reasons):
            raise ServiceError("TransactionCanceledException", "A condition failed.", CancellationReasons=reasons)
        for update in updates:
            self._dynamodb(Request("POST", "/", "DynamoDB", "UpdateItem", update, lambda: False))
        return {}

    def _reason(self, update: dict[str, Any]) -> dict[str, Any]:
        """Why the update would be refused."""
        item = self._tables.setdefault(update["TableName"], Table()).get(update) or {}
        if condition(update.get("ConditionExpression", ""))(item, update["ExpressionAttributeValues"]):
            return {"Code": "None"}
        return {"Code": "ConditionalCheckFailed", "Item": item}

    def _remember(self, update: dict[str, Any]) -> None:
        """Note when a claim was completed, and how often an exact effect was made."""
        kind, _, key = update["Key"]["pk"]["S"].partition("#")
        if kind == "effects":
            self._exact[key] = self._exact.get(key, 0) + 1
        elif ":c" in update["ExpressionAttributeValues"]:
            self._recorded.setdefault(key, time.monotonic())

    def _control(self, request: Request) -> dict[str, Any]:
        if request.path == "/effects":
            return {"exact": self._exact, "recorded": self._recorded, "lost": self._lost}
        return super()._control(request)


async def _main(lose: float, seed: int) -> None:
    server = ChaosServer(lose=lose, seed=seed)
    print(await server.start(), flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.server", description=__doc__)
    parser.add_argument("--lose", type=float, required=True, help="the part of all answers that get lost")
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.lose, arguments.seed))
