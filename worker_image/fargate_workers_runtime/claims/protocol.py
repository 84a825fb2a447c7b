"""Claims: which worker may cause an effect, and which effects are done.

A claim is a lease on an idempotency key with an owner's token. While it is held, no other attempt runs the key; when
its owner dies, it lapses together with the message's lease, so that the redelivered message finds it free; once
completed, the key never runs again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

#: How far two workers' clocks may differ, in seconds. A claim is written this much shorter than the message's lease and
#: taken over this much later than its written end: free when the message is back, not before.
CLOCK_SKEW = 2.0

#: How long a completed key is remembered, in seconds: a message's longest life in a queue and then in its dead-letter
#: queue.
KEEP_SECONDS = 28 * 24 * 3600

#: Messages of one key whose attempts are counted apart: a producer that sends an order twice sends two.
MESSAGES_COUNTED = 8


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The answer to a claim.

    Attributes:
        state: `granted`: run. `completed`: the effect is done. `held`: another attempt runs it now.
        attempt: The number of this attempt at the key. Default: 1.
        of_message: The number of this attempt of the message: a redrive is a new message, and begins anew. Default: 1.
        unanswered: How many of these before it neither ended nor released the key: their processes died. Default: 0.
        seconds_left: Seconds until another's lease can be taken over. Default: 0.
        payload: The fingerprint that the key was first claimed with. Default: none.
    """

    state: Literal["granted", "completed", "held"]
    attempt: int = 1
    of_message: int = 1
    unanswered: int = 0
    seconds_left: float = 0.0
    payload: str = ""


class Claims(Protocol):
    """A table of claims. An owner is the token of one attempt.

    A call repeated with the same token, because its answer was lost, succeeds again. A key that the store has forgotten
    meanwhile still belongs to its owner: only a claim by another takes it away.
    """

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "", message_id: str = "") -> Claim:
        """A lease on `key` for as long as the message is leased; it counts an attempt at the key, and of its message.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            seconds: The length of the lease, from now.
            payload: The fingerprint of the message's payload. Default: none.
            message_id: The message whose attempts are counted. Default: none.
        """
        ...

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        """A new lease on `key`; False if another owner has it. A key that `owner` has completed stays completed.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            seconds: The length of the new lease, from now.
        """
        ...

    def complete(self, key: str, *, owner: str) -> bool:
        """The record of the effect; False if another owner has the key: its attempt may be running, or done.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
        """
        ...

    def release(self, key: str, *, owner: str, begun: bool = True) -> None:
        """The end of the lease: the next attempt can claim `key` at once.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            begun: The handler was called. Otherwise this counts as no attempt. Default: True.
        """
        ...

    def check(self) -> None:
        """A write like that of a claim, at the key that failed last, without effect; it raises if the store refuses."""
        ...


@runtime_checkable
class TransactionalClaims(Claims, Protocol):
    """Claims in the store that holds the effects, too: both are recorded, or neither."""

    def complete_with(self, key: str, *, owner: str, items: Sequence[Mapping[str, Any]]) -> bool:
        """One transaction that writes `items` and records the effect; False if another owner has the key.

        Args:
            key: The idempotency key.
            owner: The token of the attempt.
            items: At most 99 entries of DynamoDB's TransactWriteItems.

        Raises:
            TransactionCanceledException: A condition of `items` failed; nothing was written.
        """
        ...


#: Attempts of one message, and how many of them have no answer.
Counts = tuple[int, int]


def most_tried(counts: Mapping[str, Counts]) -> dict[str, Counts]:
    """The counts of attempts that a record has room for: the highest.

    Args:
        counts: The attempts by the message's id.
    """
    return dict(sorted(counts.items(), key=lambda each: each[1][0])[-MESSAGES_COUNTED:])


def fingerprint(payload: Any) -> str:
    """A hash that is the same for equal payloads: of the canonical JSON, or of the bytes.

    Args:
        payload: The parsed JSON, or bytes.
    """
    if not isinstance(payload, bytes):
        payload = json.dumps(payload, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.sha256(payload).hexdigest()[:32]
