"""The minutes of AWS as they pass here: shorter than elsewhere, or only when somebody says so."""

import math
from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Clock:
    """Scales what AWS waits for: metrics, alarms, cooldowns and schedules. Message leases and timeouts stay real.

    started: When the first minute began.
    seconds_per_minute: How long a minute takes here at least. None: it lasts until the next one is begun by hand.

    `Clock(started=0, seconds_per_minute=2).wait(300)` is 10: five quiet minutes take ten seconds.
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
        """The one that runs, counted from the start."""
        return len(self._begun) - 1

    def begin_minute(self, moment: float) -> None:
        """Ends the minute that runs."""
        self._begun.append(max(moment, self._begun[-1]))

    def begin_of(self, minute: int) -> float:
        """When a minute began here."""
        return self._begun[minute]

    def minute_of(self, moment: float) -> int:
        """The minute that `moment` lies in; the first one for what was before."""
        return max(bisect_right(self._begun, moment) - 1, 0)

    def virtual(self, moment: float) -> float:
        """What an AWS wall clock would show at `moment`, had it been right at the start. By hand it shows minutes."""
        minute = self.minute_of(moment)
        elapsed = self.stretched(moment - self._begun[minute]) if self.seconds_per_minute is not None else 0.0
        return self.started + 60 * minute + min(elapsed, 60.0)

    def age(self, moment: float) -> float:
        """How old, in seconds of AWS, what began at `moment` is when the minute that runs ends."""
        return self.started + 60 * (self.minute + 1) - self.virtual(moment)

    def wait(self, seconds: float) -> float:
        """How long `seconds` of AWS take here; as long as there where minutes pass by hand."""
        return seconds * (self.seconds_per_minute or 60) / 60

    def stretched(self, seconds: float) -> float:
        """How long of AWS `seconds` of here are."""
        return seconds * 60 / (self.seconds_per_minute or 60)

    # Those who ask have clocks that run as everywhere else. All agree on the moment at which the present minute began.

    def minute_shown(self, moment: float) -> int:
        """The minute that somebody means by `moment`: as many minutes off the present one as on their own clock."""
        return self.minute + math.floor(moment / 60) - math.floor(self._begun[-1] / 60)

    def shown(self, minute: int) -> int:
        """The moment by which somebody knows the beginning of `minute`, in whole minutes since the epoch."""
        return 60 * (math.floor(self._begun[-1] / 60) + minute - self.minute)
