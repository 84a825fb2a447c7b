"""Claims: which worker may cause an effect, and which effects are done.

A claim is a lease on an idempotency key with an owner's token. While it is held, nobody else runs the key; when its
owner dies, it lapses together with the message's visibility, so that the redelivered message finds it free; once
completed, the key never runs again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

#: How far two workers' clocks may differ, in seconds. A lease is written this much shorter than the
#: message's visibility and taken over this much later than it says: free when the message is back, not before.
CLOCK_SKEW = 2.0

#: How long a completed key is remembered: a message's longest life in a queue and then in its dead-letter queue.
KEEP_SECONDS = 28 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The answer to a claim.

    Attributes:
        state: `granted`: run. `completed`: the effect is done. `held`: another attempt runs it now.
        attempt: Which attempt at this key this is.
        seconds_left: Until another's lease can be taken over.
        payload: The fingerprint that the key was first claimed with.
    """

    state: Literal["granted", "completed", "held"]
    attempt: int = 1
    seconds_left: float = 0.0
    payload: str = ""


class Claims(Protocol):
    """A table of claims. `owner` is one attempt's token.

    A call repeated with the same token, because its answer was lost, succeeds again.
    """

    def claim(self, key: str, *, owner: str, seconds: float, payload: str = "") -> Claim:
        """Lease `key` for as long as the message stays hidden."""
        ...

    def renew(self, key: str, *, owner: str, seconds: float) -> bool:
        """Lease `key` anew; False if it is no longer ours."""
        ...

    def complete(self, key: str, *, owner: str) -> bool:
        """Record the effect; False if the key is no longer ours: another attempt may be running, or done."""
        ...

    def release(self, key: str, *, owner: str) -> None:
        """Let the next attempt claim `key` at once."""
        ...

    def check(self) -> None:
        """Raise if the store does not answer."""
        ...


@runtime_checkable
class TransactionalClaims(Claims, Protocol):
    """Claims in the store that holds the effects, too: both are recorded, or neither."""

    def complete_with(self, key: str, *, owner: str, items: Sequence[Mapping[str, Any]]) -> bool:
        """Write `items` (of DynamoDB's TransactWriteItems) and record the effect; False if the key is no longer ours.

        Raises:
            TransactionCanceledException: A condition of `items` failed; nothing was written.
        """
        ...


def fingerprint(payload: Any) -> str:
    """Tells whether two payloads under one key are the same: a hash of the canonical JSON."""
    canonical = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
