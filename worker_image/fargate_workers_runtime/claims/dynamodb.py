"""Claims, in a DynamoDB table (the DeduplicationTable construct).

One item a key, under 1 KB, so that each write is one write unit:

    pk  scope#key              st  P in progress, C completed      ow  owner's token
    lu  leased until, ms       ex  forgotten after, s (TTL)        ph  payload's fingerprint      n  attempts
    mi  id of the message that claimed last     mn  its attempts     mu  those of them without an answer
    mo  both of other messages, by their ids
    tx  fingerprint of the writes that were committed with the completion
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from fargate_workers_runtime.claims.protocol import CLOCK_SKEW, KEEP_SECONDS, Claim, Counts, most_tried
from fargate_workers_runtime.claims.transactions import COMPLETED_OTHERWISE, transaction_id

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# DynamoDB deletes expired items days late, so expiry is compared here and never left to an item's absence.
_FREE = "({whose} AND ex < :now) OR ({whose} AND st = :p AND lu < :lapsed)"
_FREE_FOR_MESSAGE = f"attribute_not_exists(pk) OR {_FREE.format(whose='mi = :id')}"
_FREE_AS_SEEN = _FREE.format(whose="ow = :seen")  # each claim has its own owner, so nothing has happened since
_MINE = "st = :p AND ow = :me"
_MINE_OR_FORGOTTEN = f"attribute_not_exists(pk) OR ({_MINE})"


class DynamoDbClaims:
    """Claims of one `scope` (the worker's name) in the table `table_name`."""

    def __init__(
        self, client: "DynamoDBClient", table_name: str, *, scope: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table_name = table_name
        self._scope = scope
        self._clock = clock
        self._failed = ""  # the key of the last call that failed; no key is empty

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "", message_id: str = "") -> Claim:
        now = self._clock()
        values = {
            ":p": {"S": "P"},
            ":me": {"S": owner},
            ":lu": _milliseconds(now + seconds - CLOCK_SKEW),
            ":ex": _seconds(now + KEEP_SECONDS),
            ":ph": {"S": payload},
            ":one": {"N": "1"},
            ":now": _seconds(now),
            ":lapsed": _milliseconds(now - CLOCK_SKEW),
            ":id": {"S": message_id},
        }
        claimed = "SET st = :p, ow = :me, lu = :lu, ex = :ex, ph = :ph, mi = :id"
        refused, item = self._update(key, f"{claimed} ADD n :one, mn :one, mu :one", _FREE_FOR_MESSAGE, values)
        if refused and item.get("mi") != {"S": message_id} and _is_free(item, now):
            counts = _counts(item)
            before, unanswered = counts.pop(message_id, (0, 0))
            values |= {":seen": item["ow"], ":mn": _n(before + 1), ":mu": _n(unanswered + 1), ":mo": _map(counts)}
            others = f"{claimed}, mn = :mn, mu = :mu, mo = :mo ADD n :one"
            refused, item = self._update(key, others, _FREE_AS_SEEN, values)
        attempt, of_message = _number(item, "n"), _number(item, "mn")
        # Refused by our own token: the first answer was lost on its way and the client asked again.
        if not refused or (item.get("st") == {"S": "P"} and item.get("ow") == {"S": owner}):
            unanswered = _number(item, "mu") - 1
            return Claim(
                state="granted", attempt=attempt, of_message=of_message, unanswered=unanswered, payload=payload
            )
        first = item.get("ph", {}).get("S", payload)  # not known of a key that was forgotten while it was claimed
        if item.get("st") == {"S": "C"}:
            return Claim(state="completed", attempt=attempt, payload=first)
        lapses = int(item.get("lu", {}).get("N", "0")) / 1000 + CLOCK_SKEW
        return Claim(state="held", attempt=attempt, seconds_left=max(0.0, lapses - now), payload=first)

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        now = self._clock()
        values = {
            ":p": {"S": "P"},
            ":me": {"S": owner},
            ":lu": _milliseconds(now + seconds - CLOCK_SKEW),
            ":ex": _seconds(now + KEEP_SECONDS),
        }
        refused, item = self._update(key, "SET st = :p, ow = :me, lu = :lu, ex = :ex", _MINE_OR_FORGOTTEN, values)
        return not refused or _completed_by(item, owner)

    def complete(self, key: str, *, owner: str) -> bool:
        values = {
            ":p": {"S": "P"},
            ":c": {"S": "C"},
            ":me": {"S": owner},
            ":ex": _seconds(self._clock() + KEEP_SECONDS),
        }
        refused, item = self._update(key, "SET st = :c, ow = :me, ex = :ex", _MINE_OR_FORGOTTEN, values)
        return not refused or _completed_by(item, owner)

    def complete_with(self, key: str, *, owner: str, items: Sequence[Mapping[str, Any]]) -> bool:
        """Commit `items` and the completion in one transaction: both happen, or neither.

        Args:
            items: Entries of TransactWriteItems, at most 99: `{"Put": {"TableName": ..., "Item": ...}}`. The task's
                role must be allowed them, and twice the write units of single writes are billed.

        Returns:
            False if another owner has the key; then nothing was written.

        Raises:
            TransactionCanceledException: A condition of `items` failed, or another writer was in the way. Its
                `CancellationReasons` are in the order of `items`.
            ValueError: There are too many, or this attempt has completed the key with other writes.
        """
        transaction = transaction_id(items)
        completion: dict[str, Any] = {
            "TableName": self._table_name,
            "Key": self._key(key),
            "UpdateExpression": "SET st = :c, ow = :me, ex = :ex, tx = :tx",
            "ConditionExpression": _MINE_OR_FORGOTTEN,
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
            if not _completed_by(item, owner):
                return False
            # Completed by this attempt's own token: the first answer was lost. But only if the same writes went along.
            if item.get("tx") != {"S": transaction}:
                raise ValueError(COMPLETED_OTHERWISE) from error
        return True

    def release(self, key: str, *, owner: str, begun: bool = True) -> None:
        values = {":p": {"S": "P"}, ":me": {"S": owner}, ":zero": {"N": "0"}, ":less": {"N": "-1"}}
        change = "SET lu = :zero ADD mu :less" if begun else "SET lu = :zero ADD mu :less, mn :less, n :less"
        self._update(key, change, f"{_MINE} AND lu > :zero", values)  # once: the client may ask again

    def check(self) -> None:
        # A write, because a table that refuses writes may answer reads; no owner has this token, so it changes nothing.
        self._update(self._failed, "SET ow = :nobody", "ow = :nobody", {":nobody": {"S": "-"}})

    def _key(self, key: str) -> dict[str, Any]:
        return {"pk": {"S": f"{self._scope}#{key}"}}

    def _update(self, key: str, change: str, condition: str, values: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Update the item if `condition` holds; returns whether it was refused, and the item."""
        try:
            response = self._client.update_item(
                TableName=self._table_name,
                Key=self._key(key),
                UpdateExpression=change,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
                self._failed = key
                raise
            return True, dict(error.response.get("Item", {}))  # pyright: ignore[reportArgumentType, reportCallIssue, reportUnknownArgumentType, reportUnknownVariableType]
        return False, dict(response.get("Attributes", {}))


def _completed_by(item: Mapping[str, Any], owner: str) -> bool:
    """Whether the key was completed by this token: the first answer was lost."""
    return item.get("st") == {"S": "C"} and item.get("ow") == {"S": owner}


def _number(item: Mapping[str, Any], name: str) -> int:
    """A count; at least 1, since a key that was forgotten while it was claimed has none."""
    return max(1, int(item.get(name, {}).get("N", "1")))


def _is_free(item: Mapping[str, Any], now: float) -> bool:
    """Whether the claim is free, as far as this item shows: the condition of the write decides."""
    lapsed = item.get("st") == {"S": "P"} and int(item["lu"]["N"]) < int((now - CLOCK_SKEW) * 1000)
    return "ow" in item and (lapsed or int(item["ex"]["N"]) < int(now))


def _counts(item: Mapping[str, Any]) -> dict[str, Counts]:
    """The attempts of each message that claimed the key before."""
    others: dict[str, Any] = item.get("mo", {}).get("M", {})
    counts = {each: (int(two["L"][0]["N"]), int(two["L"][1]["N"])) for each, two in others.items()}
    if "mi" in item and "mn" in item and "mu" in item:
        counts[item["mi"]["S"]] = (int(item["mn"]["N"]), int(item["mu"]["N"]))
    return counts


def _map(counts: Mapping[str, Counts]) -> dict[str, Any]:
    return {"M": {each: {"L": [_n(number) for number in two]} for each, two in most_tried(counts).items()}}


def _n(number: int) -> dict[str, str]:
    return {"N": str(number)}


def _milliseconds(moment: float) -> dict[str, str]:
    return {"N": str(int(moment * 1000))}


def _seconds(moment: float) -> dict[str, str]:
    return {"N": str(int(moment))}
