"""How often a message has been attempted, and so when it is given up.

A message is given up after its own failures. The queue counts deliveries, which are more: a message that was fetched
and released when a task stopped was delivered and not attempted.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

#: Messages remembered; what is forgotten is counted by its deliveries.
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What this process has seen of one message.

    Attributes:
        failures: Attempts that failed.
        released: Deliveries that ended by releasing the message.
        unworked: Those of them in which it was not attempted.
        held: How often another attempt had its key.
        deaths: Attempts that the claims know to have no end.
    """

    failures: int = 0
    released: int = 0
    unworked: int = 0
    held: int = 0
    deaths: int = 0


class Memory:
    """What this process has seen of the messages that it could not finish."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    def of(self, message_id: str) -> Seen:
        """What was seen of one message: nothing, for most."""
        return self._seen.get(message_id, _NOTHING)

    def failed(self, message_id: str) -> Seen:
        """Count one more attempt that failed."""
        return self._note(message_id, failures=1)

    def learned(self, message_id: str, *, failures: int) -> None:
        """Count failures that were counted elsewhere, this process's own included."""
        more = failures - self.of(message_id).failures
        if more > 0:
            self._note(message_id, failures=more)

    def released(self, message_id: str, *, worked: bool) -> Seen:
        """Count one more release."""
        return self._note(message_id, released=1, unworked=int(not worked))

    def held(self, message_id: str) -> Seen:
        """Count one more time that another attempt had its key."""
        return self._note(message_id, held=1)

    def died(self, message_id: str, deaths: int) -> None:
        """Note the deaths that the claims know of."""
        self._note(message_id)
        with self._lock:
            self._seen[message_id] = replace(self._seen.get(message_id, _NOTHING), deaths=deaths)

    def ended(self, message_id: str) -> None:
        """Forget the message, which has ended."""
        if self._seen:
            with self._lock:
                self._seen.pop(message_id, None)

    def _note(self, message_id: str, *, failures: int = 0, released: int = 0, unworked: int = 0, held: int = 0) -> Seen:
        with self._lock:
            seen = self._seen.pop(message_id, _NOTHING)
            seen = replace(
                seen,
                failures=seen.failures + failures,
                released=seen.released + released,
                unworked=seen.unworked + unworked,
                held=seen.held + held,
            )
            self._seen[message_id] = seen
            if len(self._seen) > _MOST:
                self._seen.popitem(last=False)
            return seen


_NOTHING = Seen()


def attempts(seen: Seen, *, receive_count: int, claimed: int | None, ordered: bool) -> int:
    """Attempts at a message, the one under way included: those of this process, and what is proven of others'.

    A claim counts the attempts of each message, in whichever process. Without claims, deliveries count but
    for those that this process released unworked. Where the order of groups holds they do not: each message behind the
    first is delivered with it, and retried in hand.

    Args:
        seen: Before this attempt.
        claimed: The attempts that the claim counts of this message. Default: no claims.
        ordered: The order of groups holds.
    """
    here = seen.failures + 1
    if claimed is not None:
        return max(here, claimed)
    return here if ordered else max(here, receive_count - seen.unworked)


def reason(number: int, *, seen: Seen, claimed: int | None) -> str:
    """Why a message is given up after `number` attempts; `seen` is what this process saw, the last one included."""
    if claimed is not None or number <= seen.failures:
        return f"failed {number} times"
    return f"failed, and was delivered {number} times"  # others had it, and may have released it
