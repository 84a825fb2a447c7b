"""Claims, in a DynamoDB table (the DeduplicationTable construct).

One item a key, under 1 KB, so that each write is one write unit:

    pk  scope#key              st  P in progress, C completed      ow  owner's token
    lu  leased until, ms       ex  forgotten after, s (TTL)        ph  payload's fingerprint      n  attempts
    tx  fingerprint of the writes that were committed with the completion
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from fargate_workers_runtime.claims import CLOCK_SKEW, KEEP_SECONDS, Claim
from fargate_workers_runtime.transactions import COMPLETED_OTHERWISE, transaction_id

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# DynamoDB deletes expired items days late, so expiry is compared here and never left to an item's absence.
_FREE = "attribute_not_exists(pk) OR ex < :now OR (st = :p AND lu < :lapsed)"
_MINE = "st = :p AND ow = :me"


class DynamoDbClaims:
    """Claims of one `scope` (the worker's name) in the table `table_name`."""

    def __init__(
        self, client: "DynamoDBClient", table_name: str, *, scope: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._scope = scope
        self._clock = clock

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "") -> Claim:
        now = self._clock()
        refused, item = self._update(
            key,
            "SET st = :p, ow = :me, lu = :lu, ex = :ex, ph = :ph ADD n :one",
            _FREE,
            {
                ":p": {"S": "P"},
                ":me": {"S": owner},
                ":lu": _milliseconds(now + seconds - CLOCK_SKEW),
                ":ex": _seconds(now + KEEP_SECONDS),
                ":ph": {"S": payload},
                ":one": {"N": "1"},
                ":now": _seconds(now),
                ":lapsed": _milliseconds(now - CLOCK_SKEW),
            },
        )
        attempt = int(item.get("n", {}).get("N", "1"))
        # Refused by our own token: the first answer was lost on its way and the client asked again.
        if not refused or (item.get("st") == {"S": "P"} and item.get("ow") == {"S": owner}):
            return Claim(state="granted", attempt=attempt, payload=payload)
        first = item.get("ph", {}).get("S", "")
        if item.get("st") == {"S": "C"}:
            return Claim(state="completed", attempt=attempt, payload=first)
        lapses = int(item.get("lu", {}).get("N", "0")) / 1000 + CLOCK_SKEW
        return Claim(state="held", attempt=attempt, seconds_left=max(0.0, lapses - now), payload=first)

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        values = {":p": {"S": "P"}, ":me": {"S": owner}, ":lu": _milliseconds(self._clock() + seconds - CLOCK_SKEW)}
        refused, _ = self._update(key, "SET lu = :lu", _MINE, values)
        return not refused

    def complete(self, key: str, *, owner: str) -> bool:
        values = {
            ":p": {"S": "P"},
            ":c": {"S": "C"},
            ":me": {"S": owner},
            ":ex": _seconds(self._clock() + KEEP_SECONDS),
        }
        refused, item = self._update(key, "SET st = :c, ex = :ex", _MINE, values)
        return not refused or (item.get("st") == {"S": "C"} and item.get("ow") == {"S": owner})

    def complete_with(self, key: str, *, owner: str, items: Sequence[Mapping[str, Any]]) -> bool:
        """Commit `items` and the completion in one transaction: both happen, or neither.

        Args:
            items: Entries of TransactWriteItems, at most 99: `{"Put": {"TableName": ..., "Item": ...}}`. The task's
                role must be allowed them, and twice the write units of single writes are billed.

        Returns:
            False if the key is no longer ours; then nothing was written.

        Raises:
            TransactionCanceledException: A condition of `items` failed, or another writer was in the way. Its
                `CancellationReasons` are in the order of `items`.
            ValueError: There are too many, or this attempt has completed the key with other writes.
        """
        transaction = transaction_id(items)
        completion: dict[str, Any] = {
            "TableName": self._table_name,
            "Key": self._key(key),
            "UpdateExpression": "SET st = :c, ex = :ex, tx = :tx",
            "ConditionExpression": _MINE,
            "ExpressionAttributeValues": {
                ":p": {"S": "P"},
                ":c": {"S": "C"},
                ":me": {"S": owner},
                ":ex": _seconds(self._clock() + KEEP_SECONDS),
                ":tx": {"S": transaction},
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        writes = cast("list[TransactWriteItemTypeDef]", [*items, {"Update": completion}])
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:  # by its reasons: two threads may each make a class TransactionCanceledException
            ours = cast("dict[str, Any]", error.response).get("CancellationReasons", [{}])[-1]
            if ours.get("Code") != "ConditionalCheckFailed":
                raise
            item = ours.get("Item", {})
            if item.get("st") != {"S": "C"} or item.get("ow") != {"S": owner}:
                return False
            # Completed by our own token: the first answer was lost. But only if these very writes went with it.
            if item.get("tx") != {"S": transaction}:
                raise ValueError(COMPLETED_OTHERWISE) from error
        return True

    def release(self, key: str, *, owner: str) -> None:
        self._update(key, "SET lu = :zero", _MINE, {":p": {"S": "P"}, ":me": {"S": owner}, ":zero": {"N": "0"}})

    def check(self) -> None:
        # No key is empty, so that this one is never written.
        self._client.get_item(TableName=self._table_name, Key=self._key(""))

    def _key(self, key: str) -> dict[str, Any]:
        return {"pk": {"S": f"{self._scope}#{key}"}}

    def _update(self, key: str, change: str, condition: str, values: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Update the item if `condition` holds; was it refused, and what does the item say?"""
        try:
            response = self._client.update_item(
                TableName=self._table_name,
                Key=self._key(key),
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                raise
            return True, dict(error.response.get("Item", {}))  # pyright: ignore[reportArgumentType, reportCallIssue, reportUnknownArgumentType, reportUnknownVariableType]
        return False, dict(response.get("Attributes", {}))


def _milliseconds(moment: float) -> dict[str, str]:
    return {"N": str(int(moment * 1000))}


def _seconds(moment: float) -> dict[str, str]:
    return {"N": str(int(moment))}
