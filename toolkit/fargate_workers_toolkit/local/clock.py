"""Compressed time: how long a minute of AWS takes here."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Scales what AWS waits for: alarm periods, cooldowns and schedules. Message leases and timeouts stay real.

    `Clock(started=0, seconds_per_minute=2).wait(300)` is 10: five quiet minutes take ten seconds.
    """

    started: float
    seconds_per_minute: float

    def __post_init__(self) -> None:
        if self.seconds_per_minute <= 0:
            raise ValueError(f"seconds_per_minute is {self.seconds_per_minute}; make it more than 0.")

    def wait(self, seconds: float) -> float:
        """How long `seconds` of AWS take here."""
        return seconds * self.seconds_per_minute / 60

    def minute(self, moment: float) -> int:
        """The minute of AWS that `moment` lies in, counted from the start."""
        return math.floor((moment - self.started) / self.seconds_per_minute)

    def moment(self, minute: int) -> float:
        """When a minute of AWS begins here."""
        return self.started + minute * self.seconds_per_minute

    def virtual(self, moment: float) -> float:
        """What an AWS wall clock would show at `moment`, had it been right at the start."""
        return self.started + (moment - self.started) * 60 / self.seconds_per_minute

    def real(self, virtual: float) -> float:
        """When that AWS wall clock shows `virtual`."""
        return self.started + (virtual - self.started) * self.seconds_per_minute / 60
