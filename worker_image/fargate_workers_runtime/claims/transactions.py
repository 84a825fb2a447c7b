"""The writes that a handler commits together with its completion."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

#: DynamoDB takes a hundred writes in a transaction; one is the completion.
MOST_WRITES = 99

#: The error of an attempt that commits a second time, and other writes.
COMPLETED_OTHERWISE = "This attempt has completed its key already; put all its writes into one transaction."


def transaction_id(items: Sequence[Mapping[str, Any]]) -> str:
    """A hash that is the same for the same writes, and so for a transaction that is repeated.

    Raises:
        ValueError: There are too many for one transaction.
    """
    if len(items) > MOST_WRITES:
        raise ValueError(f"There are {len(items)} writes in one transaction; make it at most {MOST_WRITES}.")
    canonical = json.dumps(list(items), sort_keys=True, default=repr)  # binary values are not JSON
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]
