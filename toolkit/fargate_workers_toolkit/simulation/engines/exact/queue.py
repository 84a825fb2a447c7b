"""Messages in sight of the exact engine: in the order in which they came, or group by group."""

from collections import deque
from collections.abc import Sequence


class StandardLine:
    """A standard queue: the message that came into sight first is received first."""

    def __init__(self) -> None:
        #: What a receive brings next; empty, if nothing is in sight.
        self.ready: deque[int] = deque()
        self._messages = self.ready
        self.put = self._messages.append

    def __len__(self) -> int:
        return len(self._messages)

    def next(self) -> int:
        """The message that a receive would bring."""
        return self._messages[0]

    def take(self) -> int:
        return self._messages.popleft()

    def come_back(self, message: int) -> None:
        """A message that failed is in sight again."""
        self._messages.append(message)

    def finish(self, message: int) -> None:
        """A message is gone from the queue."""

    def messages(self) -> list[int]:
        return list(self._messages)

    def oldest(self) -> int | None:
        return self._messages[0] if self._messages else None

    @property
    def groups_in_flight(self) -> int | None:
        """Groups with messages in flight; None, for it has no groups."""
        return None


class FifoLine:
    """A FIFO queue: of each group one message is in flight, and the others wait for it, however often it fails."""

    def __init__(self, groups: Sequence[int]) -> None:
        self._groups = groups
        self._waiting: dict[int, deque[int]] = {}
        #: The groups of which a receive brings the next message; empty, if nothing is in sight.
        self.ready: deque[int] = deque()
        self._in_flight: set[int] = set()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, message: int) -> None:
        group = self._groups[message]
        waiting = self._waiting.setdefault(group, deque())
        if not waiting and group not in self._in_flight:
            self.ready.append(group)
        waiting.append(message)
        self._length += 1

    def next(self) -> int:
        return self._waiting[self.ready[0]][0]

    def take(self) -> int:
        group = self.ready.popleft()
        self._in_flight.add(group)
        self._length -= 1
        return self._waiting[group].popleft()

    def come_back(self, message: int) -> None:
        """First in its group again."""
        group = self._groups[message]
        self._in_flight.discard(group)
        self._waiting[group].appendleft(message)
        self.ready.append(group)
        self._length += 1

    def finish(self, message: int) -> None:
        group = self._groups[message]
        self._in_flight.discard(group)
        if self._waiting[group]:
            self.ready.append(group)
        else:
            del self._waiting[group]

    def messages(self) -> list[int]:
        return [message for waiting in self._waiting.values() for message in waiting]

    @property
    def groups_in_flight(self) -> int:
        return len(self._in_flight)

    def oldest(self) -> int | None:
        return min((waiting[0] for waiting in self._waiting.values() if waiting), default=None)


Line = StandardLine | FifoLine
