"""The minutes of AWS in the local environment: shorter than elsewhere, or ended by hand."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Clock:
    """Scales what AWS waits for: metrics, alarms, cooldowns and schedules. Message leases and timeouts stay real.

    `Clock(started=0, seconds_per_minute=2).wait(300)` is 10: five quiet minutes take ten seconds.

    Args:
        started: When the first minute began, in seconds since 1970.
        seconds_per_minute: How long a minute takes at least, in seconds. None: until the next one is begun by hand.
    """

    started: float
    seconds_per_minute: float | None
    _begun: list[float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.seconds_per_minute is not None and self.seconds_per_minute <= 0:
            raise ValueError(f"seconds_per_minute is {self.seconds_per_minute}; make it more than 0.")
        self._begun = [self.started]

    @property
    def minute(self) -> int:
        """The minute that runs, counted from the start."""
        return len(self._begun) - 1

    def begin_minute(self, moment: float) -> None:
        """End the minute that runs and begin the next.

        Args:
            moment: When it begins, in seconds since 1970.
        """
        self._begun.append(max(moment, self._begun[-1]))

    def begin_of(self, minute: int) -> float:
        """Return when a minute began, in seconds since 1970."""
        return self._begun[minute]

    def minute_of(self, moment: float) -> int:
        """Return the minute that a moment lies in; the first one for what was before."""
        return max(bisect_right(self._begun, moment) - 1, 0)

    def virtual(self, moment: float) -> float:
        """Return what a clock of AWS shows that was right at the start; whole minutes where they end by hand.

        Args:
            moment: When it is read, in seconds since 1970.
        """
        minute = self.minute_of(moment)
        elapsed = self.stretched(moment - self._begun[minute]) if self.seconds_per_minute is not None else 0.0
        return self.started + 60 * minute + min(elapsed, 60.0)

    def age(self, moment: float) -> float:
        """Return the age, in seconds of AWS, that something has when the minute that runs ends.

        Args:
            moment: When it began, in seconds since 1970.
        """
        return self.started + 60 * (self.minute + 1) - self.virtual(moment)

    def wait(self, seconds: float) -> float:
        """Return how many seconds here a number of seconds of AWS takes; the same number where minutes end by hand."""
        return seconds * (self.seconds_per_minute or 60) / 60

    def stretched(self, seconds: float) -> float:
        """Return how many seconds of AWS a number of seconds here is."""
        return seconds * 60 / (self.seconds_per_minute or 60)

    # Those who ask have clocks that run as everywhere else. All agree on the moment at which the present minute began.

    def minute_shown(self, moment: float) -> int:
        """Return the minute that a client means by a moment of its own clock: as many minutes off the present one.

        Args:
            moment: In seconds since 1970.
        """
        return self.minute + math.floor(moment / 60) - math.floor(self._begun[-1] / 60)

    def shown(self, minute: int) -> int:
        """Return the beginning of a minute on the clients' own clocks, in seconds since 1970 and whole minutes.

        Args:
            minute: Counted from the start.
        """
        return 60 * (math.floor(self._begun[-1] / 60) + minute - self.minute)
