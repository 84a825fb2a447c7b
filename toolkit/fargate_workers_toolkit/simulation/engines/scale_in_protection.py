"""Scale-in protection of many tasks alike: which share of them has it, as this project's runtime asks for it.

A task is protected while one of its handlers has run for longer than the drain, or from its begin where the last ones
often did. What handlers run is not known here one by one, only how many do, how many of them are old, and how long
their work takes on average.
"""

import math
from dataclasses import dataclass

# As in the runtime: the share of handlers that outlast the drain from which the next one is expected to, and the weight
# of the newest.
OFTEN, NEWEST = 0.25, 0.2

#: Handlers that outlast the drain in a new task before it expects that of the next.
LESSONS = math.ceil(math.log(1 - OFTEN) / math.log(1 - NEWEST))


@dataclass(frozen=True, kw_only=True)
class ScaleInProtection:
    """The scale-in protection of all tasks with one load.

    Args:
        work: Mean seconds of a message's work.
        exponential: Whether it varies exponentially, or not at all.
        concurrency: Handlers of a task.
        busy: The share of the handlers that work.
        old: The share of them that have run for longer than the drain, or are expected to.
        ending: Old handlers that end in a second, as a share of all.
        drain: Seconds after which a handler needs protection.
        stop_timeout: Seconds from SIGTERM to SIGKILL.
    """

    work: float
    exponential: bool
    concurrency: int
    busy: float
    old: float
    ending: float
    drain: float
    stop_timeout: float

    @property
    def free_share(self) -> float:
        """The share of the tasks without protection."""
        return (1 - self.old) ** self.concurrency

    def freed_share(self, seconds: float) -> float:
        """The share of protected tasks that lose it within some time: whose only old handler ends."""
        protected = 1 - self.free_share
        if protected <= 0:
            return 1.0
        freed = self.concurrency * self.ending * (1 - self.old) ** (self.concurrency - 1)
        return 1 - math.exp(-seconds * freed / protected)

    @property
    def killed_share(self) -> float:
        """The share of the work in tasks without protection that is cut off where some of them stop."""
        if self.exponential:
            cut_off = math.exp(-self.stop_timeout / self.work)
        else:
            young = min(self.drain, self.work)
            cut_off = min(max(self.work - self.stop_timeout, 0.0), young) / young
        # They hold as much young work as the others, and no old work.
        return cut_off * (1 - self.old / self.busy) / (1 - self.old) if self.old < min(self.busy, 1.0) else 0.0


def is_expected(*, drain: float, work: float, exponential: bool) -> bool:
    """Whether handlers outlast the drain so often that they are protected from their begin.

    Args:
        drain: Seconds after which a handler needs protection.
        work: Mean seconds of a message's work.
        exponential: Whether it varies exponentially, or not at all.
    """
    return math.exp(-drain / work) >= OFTEN if exponential else work > drain


def old_work(*, then: float, done_since: float, drain: float, work: float, exponential: bool) -> float:
    """Messages at work for longer than the drain.

    Args:
        then: Messages at work when the drain began.
        done_since: Messages finished since then.
        drain: Seconds after which a handler needs protection.
        work: Mean seconds of a message's work.
        exponential: Whether it varies exponentially, or not at all.
    """
    return then * math.exp(-drain / work) if exponential else max(0.0, then - done_since)
