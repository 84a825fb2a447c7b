"""What an attempt decides about its message, and so about those behind it. Settler and worker carry it out."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Again:
    """Another attempt at the message after `seconds`.

    Attributes:
        error: Why the last one failed; None if the message was not attempted.
        in_hand: This process keeps it meanwhile, if it can, so that the wait costs no delivery.
        seconds_in_hand: How long it waits then. Default: `seconds`.
    """

    seconds: float
    error: BaseException | None = None
    in_hand: bool = False
    seconds_in_hand: float | None = None


class Letter:
    """A message that is to be dead-lettered. `then` is called when it has arrived, or will not.

    Args:
        reason: Why, in few words that are the same for every such message.
        detail: What is particular to this one.
    """

    def __init__(self, *, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        self._lock = threading.Lock()
        self._arrived: bool | None = None
        self._then: Callable[[bool], None] | None = None

    def settled(self, arrived: bool) -> None:
        """Note that it has arrived, or will not."""
        with self._lock:
            self._arrived, then = arrived, self._then
        if then:
            then(arrived)

    def then(self, call: Callable[[bool], None]) -> None:
        """Call `call` when it is settled, or now if it is."""
        with self._lock:
            arrived = self._arrived
            if arrived is None:
                self._then = call
        if arrived is not None:
            call(arrived)


#: `acknowledge`: the message is done with. `gone`: another process has it, nothing is sent. `behind`: what waits for a
#: handler goes first.
Outcome = Literal["acknowledge", "gone", "behind"] | Again | Letter
