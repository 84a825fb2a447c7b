"""The guard of a replay: it stops when letters that were sent back die again."""

from bisect import bisect_right
from dataclasses import dataclass, field

from fargate_workers_toolkit.operations.sources import DeadLetter

#: The share of the letters sent back within `WINDOW` seconds that may die again.
SHARE = 0.1
WINDOW = 120.0
#: By the source's own count, which is approximate, one arrival may be none.
_LEAST_BY_COUNT = 2
#: How old a count of SQS may be, in seconds.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
_COUNT_LAGS = 60.0


@dataclass
class Boomerangs:
    """Counts letters that were sent back and came back.

    Those that come back are seen by their ids, but only when they are leased; in a long queue that is late. So the
    source's count is compared as well: it should be no larger than it was in the beginning, less what was deleted until
    a minute ago.

    Args:
        depth: How many letters there were in the beginning.

    Attributes:
        back: Letters that came back, by their ids.
        arrived: Letters that have arrived, by the source's count.
    """

    depth: int
    back: int = 0
    arrived: int = 0
    _sent: dict[str, float] = field(default_factory=dict[str, float])
    _moments: list[float] = field(default_factory=list[float])
    _counted: int = 0

    def sent_back(self, sent_as: str, *, now: float) -> None:
        """Note that a letter was sent back and deleted.

        Args:
            sent_as: The id of the message that was sent.
            now: Seconds since 1970.
        """
        self._sent[sent_as] = now
        self._moments.append(now)

    def returns(self, letter: DeadLetter, *, now: float) -> bool:
        """Whether a letter was sent back by this replay; it is counted if it came back soon.

        Args:
            letter: The letter.
            now: Seconds since 1970.
        """
        sent_as = next((each for each in (letter.id, letter.original_id) if each in self._sent), None)
        if sent_as is None:
            return False
        self.back += now - self._sent[sent_as] <= WINDOW
        return True

    def counted(self, depth: int, *, now: float) -> None:
        """Compare the source's count with what should be left.

        Args:
            depth: How many letters there are.
            now: Seconds since 1970.
        """
        gone = bisect_right(self._moments, now - _COUNT_LAGS)
        self.arrived = max(0, depth - (self.depth - gone))
        self._counted = gone

    def too_many(self, *, now: float) -> bool:
        """Whether the replay should stop.

        Args:
            now: Seconds since 1970.
        """
        lately = len(self._moments) - bisect_right(self._moments, now - WINDOW)
        return self.back >= max(1, SHARE * lately) or self.arrived >= max(_LEAST_BY_COUNT, SHARE * self._counted)
