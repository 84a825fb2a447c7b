"""Isolation: a message that may have killed its process runs alone, so that its neighbours are handled.

A message that kills its process (no memory left, a fault in C) takes along what runs with it. All are delivered
again together, and would die together again. So what was delivered before and never answered is a suspect: everything
else in flight here is released before it begins, and while suspects come, messages are received one by one. The killer
dies alone then.

Where the queue allows few deliveries more, nothing is released, and all that is in flight here dies with the killer
once more. So suspects begin in an order: first those of which the claims know the fewest deaths, and among these in
an order that is turned round from one delivery to the next. A message after the killer is before it at the following
delivery.

Time and deliveries make a suspect and prove nothing: others may have released it. What the claims have counted does:
a message that was begun as often as a message has attempts, seven times at least, and never ended, is given up. Without
claims the queue gives it up.
"""

import math
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fargate_workers_runtime.brokers import Delivery

#: Attempts without an end that prove a killer at least: in most of them it was alone.
PROVEN = 7

#: Deliveries without an answer after which a message is alone for as long as it takes.
SURE = 3

#: How often a message that cannot be released looks whether a suspect is still alone, in seconds.
_LOOK = 0.2

#: How long a thread waits before it puts off a suspect that it has put off before, in seconds: it must not spin.
_PACE = 0.02

#: Deaths that the claims must know of before a message waits also for what others' claims hold up: one that it shared
#: with others proves nothing.
_TELLING = 2

#: Messages that are received one by one after a suspect: its like are among the next.
_CAREFUL = 10

#: A new process receives its first message alone: its forerunner may have died of it.
_CAREFUL_START = True

#: A death shows after the lease; clocks and rounding take off some of it.
_SHARE = 0.9


def unanswered(delivery: Delivery, *, released: int, lease: int) -> int:
    """How many deliveries of a message ended without an answer, as far as it is proven.

    A message that is released, or fails, returns within seconds at first; after a death it returns when its
    lease ends. So the time since its first delivery shows how many deaths there may have been; where they are fewer
    than the other deliveries, there were none. A broker that counts attempts knows.

    Args:
        released: Deliveries that this process has answered.
        lease: Seconds for which a message is leased.
    """
    if delivery.begun:
        return max(0, delivery.begun - delivery.failed)
    earlier = delivery.receive_count - 1 - released
    if earlier <= 0 or delivery.since_first is None:
        return max(0, earlier)
    proven = int(delivery.since_first / (lease * _SHARE))
    return min(earlier, proven) if 2 * proven >= earlier else 0


#: `now`: the handler may begin. `release`: the message should be released. `behind`: what waits for a thread is first.
Turn = Literal["now", "release", "behind"]

#: Suspects begin in this order: by the deaths that the claims know of, and then by a place of the message's.
Rank = tuple[int, int]


def place(delivery: Delivery) -> int:
    """Where a message stands among suspects: its group's or its own for good, and turned round at each delivery."""
    number = zlib.crc32((delivery.group_id or delivery.id).encode())
    return number if delivery.receive_count % 2 else ~number & 0xFFFFFFFF


@dataclass(eq=False, kw_only=True)
class _Suspect:
    """A suspect, from its receive to its end.

    Attributes:
        group: What it shares with the messages that it begins before or after.
        resting: It waits for another attempt's claim.
        asked: It has let those go first that waited for a thread.
    """

    group: object
    rank: Rank
    resting: bool = False
    asked: bool = False


class Isolation:
    """The rule that handlers run together, and a suspect alone.

    Alone for a while: after `seconds` it no longer waits for the others' end, and they no longer for its own, so that
    long handlers do not run one after the other because a task died. A sure one is alone for as long as it takes.

    Args:
        most: After so many suspects that did no harm, no message is one any more: after a long outage, many messages
            have been away for long.
        crowded: Whether anything waits for a handler's thread.
    """

    def __init__(
        self,
        *,
        most: int,
        seconds: float,
        crowded: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._crowded = crowded
        self._clock = clock
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._running = 0
        self._suspects: dict[object, _Suspect] = {}
        self._others_waiting = 0  # those that are no suspects, and wait for one
        self._moved_at = 0.0  # when a suspect came, began or ended
        self.alone: object | None = None  # the suspect that waits for the others' end, or runs
        self._alone_until = 0.0
        self._harmless = 0
        self._careful = 0
        self._starts = _CAREFUL_START
        self._stopped = False

    @property
    def receives(self) -> int | None:
        """How many messages may be received at once; None if isolation sets no limit."""
        if self._is_alone() or (self._suspects and self._expects_one()):
            return 0
        return 1 if self._careful > 0 or self._starts else None

    def started(self) -> None:
        """Note that the process has received something."""
        self._starts = False

    def suspects(self, deaths: int) -> bool:
        """Whether a message with so many deliveries without an answer runs alone."""
        return deaths > 0 and self._harmless < self._most

    def expect(self, suspect: object, *, group: object, known: int, at: int) -> None:
        """Count `suspect`, until `end` or `forget`; those that go before it are waited for.

        Args:
            group: Equal for messages that begin one after the other in their own order.
            known: How many deaths the claims know of.
            at: Its `place`.
        """
        with self._changed:
            entry = self._suspects.setdefault(suspect, _Suspect(group=group, rank=(known, at)))
            entry.rank = (known, at)
            self._moved_at = self._clock()
            self._changed.notify_all()

    def forget(self, suspect: object) -> None:
        """Count it no more: the process does not have it, or it is no suspect."""
        if suspect in self._suspects:
            with self._changed:
                self._suspects.pop(suspect, None)
                self._changed.notify_all()

    def rest(self, suspect: object) -> None:
        """Note that it has not begun, because another attempt holds its key."""
        with self._changed:
            if entry := self._suspects.get(suspect):
                entry.resting = True
                self._changed.notify_all()

    def fewest_deaths_beside(self, suspect: object) -> int | None:
        """The fewest deaths known of a message in flight here, `suspect` apart; None if it is the only one."""
        with self._changed:
            mine = self._suspects.get(suspect)
            known = [rank[0] for group, rank in self._ranks().items() if mine is None or group != mine.group]
            return min([*known, *([0] if self._others_waiting else [])], default=None)

    def begin(self, suspect: object | None = None, *, deaths: int = 0, may_leave: bool = True) -> Turn:
        """Wait until a handler may begin; returns what becomes of its message otherwise.

        Args:
            suspect: What is expected, if the message runs alone.
            deaths: How often it was perhaps there when a process died.
            may_leave: It can be released. Otherwise it waits.
        """
        with self._lock:
            turn = self._wait(may_leave) if suspect is None else self._wait_as(suspect, may_leave=may_leave)
            if turn != "now":
                return turn
            if suspect is not None:
                self.alone, self._careful = suspect, _CAREFUL
                self._alone_until = math.inf
                self._changed.notify_all()
                patience = None if deaths >= SURE else self._seconds
                self._changed.wait_for(lambda: self._running == 0 or self._stopped, patience)
                self._moved_at = self._clock()
                if deaths < SURE:
                    self._alone_until = self._moved_at + self._seconds
            elif self._careful:
                self._careful -= 1
            if self._stopped:
                return "release"
            self._running += 1
            return "now"

    def _wait(self, may_leave: bool) -> Turn:
        if self.alone is None:
            return "now"
        if may_leave:
            return "release" if self._is_alone() and not self._stopped else "now"
        self._others_waiting += 1
        while self._is_alone() and not self._stopped:
            self._changed.wait(_LOOK)
        self._others_waiting -= 1
        return "now"

    def _wait_as(self, suspect: object, *, may_leave: bool) -> Turn:
        entry = self._suspects[suspect]
        entry.resting = False
        since = self._clock()
        while not self._stopped:
            alone = self._is_alone()
            first = not self._others_waiting and self._is_first(entry, since=since, may_leave=may_leave)
            if may_leave:
                return "now" if first and not alone else "release"
            # A thread that waits here could keep the first from having one.
            if not alone and self._crowded() and not (first and entry.asked):
                if entry.asked:
                    self._changed.wait(_PACE)
                entry.asked = True
                return "behind"
            if first and not alone:
                break
            self._changed.wait(_LOOK)
        return "now"

    def end(self, suspect: object | None = None, *, ran: bool = True) -> None:
        """Note that it has ended, and the process is alive.

        Args:
            ran: Its handler has run.
        """
        with self._lock:
            self._running -= 1
            if suspect is not None:
                if ran:
                    self._harmless += 1
                    self._suspects.pop(suspect, None)
                self._moved_at = self._clock()
                if self.alone is suspect:
                    self.alone = None
            if self.alone is not None or suspect is not None:
                self._changed.notify_all()

    def stop(self) -> None:
        """Let nothing begin any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _is_alone(self) -> bool:
        return self.alone is not None and self._clock() < self._alone_until

    def _expects_one(self) -> bool:
        """Whether a suspect is about to begin, so that nothing more should be received."""
        with self._changed:
            moves = self._clock() < self._moved_at + self._seconds
            return moves and any(not each.resting for each in self._suspects.values())

    def _is_first(self, mine: _Suspect, *, since: float, may_leave: bool) -> bool:
        """None goes before it; a suspect that does not move for `seconds` does not count any more."""
        ranks, now = self._ranks(), self._clock()
        resting = {each.group for each in self._suspects.values() if each.resting}
        waits_for_resting = ranks[mine.group][0] >= _TELLING and not may_leave and now < since + self._seconds
        return now >= max(since, self._moved_at) + self._seconds or not any(
            rank < ranks[mine.group] and (group not in resting or waits_for_resting)
            for group, rank in ranks.items()
            if group != mine.group
        )

    def _ranks(self) -> dict[object, Rank]:
        """The rank of each group: its last one's, because the others go before it."""
        ranks: dict[object, Rank] = {}
        for each in self._suspects.values():
            ranks[each.group] = max(each.rank, ranks.get(each.group, each.rank))
        return ranks
