"""How AWS answers now: as ever, or as in one of the outages that have begun and not ended."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

#: `error`: 503. `throttle`: refused, to be tried later. `refuse`: no connection is accepted. `hang`: connections stand,
#: and nothing is answered. `lose`: what is asked is done, and the answer is lost with its connection.
Kind = Literal["error", "throttle", "refuse", "hang", "lose"]

KINDS: tuple[Kind, ...] = ("error", "throttle", "refuse", "hang", "lose")


@dataclass(frozen=True, kw_only=True)
class Outage:
    """A time in which a service does not answer.

    Attributes:
        service: `SQS`, `DynamoDB` or `Redis`.
        operations: How the names of the operations begin that fail. Empty: all.
        kind: How they fail.
        begins, ends: Seconds, of the clock that all processes of a machine share.
    """

    service: str
    kind: Kind
    begins: float
    ends: float
    operations: Sequence[str] = ()

    def meets(self, service: str, operation: str) -> bool:
        return service == self.service and (not self.operations or operation.startswith(tuple(self.operations)))


class Weather:
    """All outages of a run, and the small misfortunes that happen at any time.

    Args:
        lose, throttle, partial: Of a thousand requests (entries of a batch, for `partial`), how many end so.
    """

    def __init__(self, *, seed: int, lose: float = 0, throttle: float = 0, partial: float = 0) -> None:
        self.outages: list[Outage] = []
        self.lost = self.throttled = self.failed_entries = 0
        self._chance = random.Random(seed)
        self._lose, self._throttle, self._partial = lose, throttle, partial

    def begin(self, *, service: str, kind: Kind, seconds: float, operations: Sequence[str] = ()) -> Outage:
        now = time.monotonic()
        outage = Outage(service=service, kind=kind, begins=now, ends=now + seconds, operations=tuple(operations))
        self.outages.append(outage)
        return outage

    def now(self, service: str, operation: str) -> Outage | None:
        """The outage that this request meets."""
        now = time.monotonic()
        return next(
            (outage for outage in reversed(self.outages) if outage.ends > now and outage.meets(service, operation)),
            None,
        )

    def loses_answer(self) -> bool:
        lost = self._chance.random() * 1000 < self._lose
        self.lost += lost
        return lost

    def throttles(self) -> bool:
        throttled = self._chance.random() * 1000 < self._throttle
        self.throttled += throttled
        return throttled

    def fails_entry(self) -> bool:
        failed = self._chance.random() * 1000 < self._partial
        self.failed_entries += failed
        return failed
