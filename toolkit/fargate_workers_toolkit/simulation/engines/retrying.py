"""When a failed attempt is made again, and how many failures end a message."""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from fargate_workers_toolkit.simulation.model import ScaledService

# The runtime's, in seconds: the longest pause after the first failure, and the longest of all.
BASE, CAP = 2, 900

# From so many failures on, all pauses are as long.
STEADY = 10

# Seconds that the fluid engine calculates at once. Shorter pauses last until their end; where so many failures follow
# that the longer ones make up for it, they may be more. Not while all messages fail for the first times: then the short
# pauses decide how many wait.
FINE_BLOCK, BLOCK, MANY = 2, 15, 7


class Pauses(NamedTuple):
    """The pauses of equal parts of the messages, each a block longer than the one before.

    Args:
        first: The first pause, in whole seconds.
        parts: How many equal parts the messages have.
    """

    first: int
    parts: int


class Retrying:
    """The pauses and the end of failed attempts in one service.

    Args:
        service: The service.

    Attributes:
        backs_off: Whether the runtime chooses each pause, from the failure on; else the visibility timeout ends it.
        deliveries: Deliveries after which SQS gives a message up. None: never.
        gives_up_after: Failures, the runtime's limit or that of SQS. None: nothing gives a message up.
    """

    def __init__(self, service: ScaledService) -> None:
        self.backs_off = service.task.backs_off
        self._visibility = service.queue.visibility_timeout
        self.deliveries = service.queue.max_receive_count
        limits = (service.task.max_attempts, self.deliveries)
        self.gives_up_after = min((limit for limit in limits if limit is not None), default=None)

    @property
    def longest(self) -> int:
        """Seconds."""
        return CAP if self.backs_off else self._timeout

    def block(self, *, settled: bool) -> int:
        """The seconds that may be calculated at once: what fails in them comes back after them.

        Args:
            settled: Whether what fails has failed for some minutes.
        """
        return self._block if settled or not self.backs_off else FINE_BLOCK

    def pauses(self, failures: int, *, block: int) -> Pauses:
        """After so many failures, 1 for the first."""
        return (self._pauses if block == self._block else self._fine_pauses)[min(failures, STEADY) - 1]

    @cached_property
    def _block(self) -> int:
        if not self.backs_off:
            return min(60, self._timeout)
        return BLOCK if self.gives_up_after is None or self.gives_up_after >= MANY else FINE_BLOCK

    @cached_property
    def _timeout(self) -> int:
        return max(1, math.ceil(self._visibility))

    @cached_property
    def _pauses(self) -> Sequence[Pauses]:
        return self._pauses_in(self._block) if self.backs_off else [Pauses(self._timeout, 1)] * STEADY

    @cached_property
    def _fine_pauses(self) -> Sequence[Pauses]:
        return self._pauses_in(FINE_BLOCK)

    def _pauses_in(self, block: int) -> Sequence[Pauses]:
        pauses: list[Pauses] = []
        late = 0.0
        for failures in range(1, STEADY + 1):
            half = longest_pause(failures) // 2
            # The runtime rounds up to whole seconds.
            mean = half + (half + 1) / 2
            # The first failures are anywhere in their block, those after short pauses at its beginning.
            least = block / 2 if failures == 1 else block
            shorter = min(late, mean - least)
            late -= shorter
            pauses.append(_spread(mean - max(shorter, 0), half, block=block))
        return pauses


def longest_pause(failures: int) -> int:
    """The most that the runtime waits after so many failures, in seconds; the least is half of it."""
    return min(CAP, BASE * 2 ** (min(failures, STEADY) - 1))


def _spread(mean: float, width: int, *, block: int) -> Pauses:
    """Around their mean."""
    parts = max(round(width / block), 1)
    return Pauses(max(round(mean - (parts - 1) * block / 2), 1), parts)
