"""What waits in a stream or a list: the commands that ask for it, and what their answers mean. Pure.

A group's entries wait from when they are added until they are delivered, are leased until they end or are released,
and are kept in a sorted set, `later`, until their next attempt. What is leased or released counts as in flight.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fargate_workers_observer.resp import Command, RedisError

#: The metrics of one source, by name.
Measures = Mapping[str, float]


class Source(Protocol):
    """A stream or a list that is observed."""

    @property
    def source(self) -> str:
        """The name that it goes by in metrics."""
        ...

    def commands(self) -> Sequence[Command]:
        """What to ask the server."""
        ...

    def measure(self, replies: Sequence[Any], *, now: float) -> Measures:
        """What the answers mean.

        Args:
            replies: The answers, in the order of the commands.
            now: The server's time in seconds.

        Raises:
            RedisError: The server refuses a command.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A consumer group on a stream.

    Args:
        source: The name that it goes by in metrics.
        stream: The key of the stream.
        group: The name of the group.
        later: The key of what the group has released until its next attempt.
        dead_letters: The key of the dead-letter stream.
        retained: Whether entries stay when they have ended. Defaults to False: all that is left has not ended.
    """

    source: str
    stream: str
    group: str
    later: str
    dead_letters: str
    retained: bool = False

    def commands(self) -> Sequence[Command]:
        """What to ask the server."""
        return [
            ("XLEN", self.stream),
            ("XLEN", self.dead_letters),
            ("XPENDING", self.stream, self.group),
            ("ZCARD", self.later),
            ("XINFO", "GROUPS", self.stream),
            ("XRANGE", self.stream, "-", "+", "COUNT", 1),
            ("ZRANGE", self.later, 0, 0),
        ]

    def measure(self, replies: Sequence[Any], *, now: float) -> Measures:
        """What the answers mean.

        Args:
            replies: The answers, in the order of the commands.
            now: The server's time in seconds.

        Raises:
            RedisError: The server refuses a command.
        """
        # A stream or a group that no worker has made yet holds what was added, and has delivered nothing.
        length, dead, pending, later, groups, first, released = (_unless_missing(each) for each in replies)
        length = length or 0
        in_flight = (pending[0] if pending else 0) + (later or 0)
        group = _group(groups or [], self.group)
        oldest = first[0][0] if first else None
        if self.retained:
            waiting = _unread(group, length)
            candidates = [pending[1] if pending else None, (released or [None])[0], oldest if waiting else None]
            if group is not None and waiting and group.get("last-delivered-id", "0-0") != "0-0":
                # The first entry was read long ago: what waits is no older than what was delivered last.
                candidates[-1] = group["last-delivered-id"]
            oldest = min((each for each in candidates if each), key=_milliseconds, default=None)
        else:
            waiting = max(0, length - in_flight)
        age = 0.0 if oldest is None else max(0.0, now - _milliseconds(oldest) / 1_000)
        return {
            "Waiting": waiting,
            "InFlight": in_flight,
            "Length": length,
            "DeadLetters": dead or 0,
            "OldestAge": age,
        }


@dataclass(frozen=True, kw_only=True)
class List:
    """A list, and what its workers have taken out of it and not ended.

    Args:
        source: The name that it goes by in metrics.
        list: The key of the list.
        leased: The keys of the sorted sets of what is leased, or released until its next attempt.
        dead_letters: The key of the dead-letter list.
    """

    source: str
    list: str
    leased: Sequence[str]
    dead_letters: str

    def commands(self) -> Sequence[Command]:
        """What to ask the server."""
        return [("LLEN", self.list), ("LLEN", self.dead_letters), *(("ZCARD", key) for key in self.leased)]

    def measure(self, replies: Sequence[Any], *, now: float) -> Measures:  # noqa: ARG002  a list has no ages
        """What the answers mean.

        Args:
            replies: The answers, in the order of the commands.
            now: The server's time in seconds.

        Raises:
            RedisError: The server refuses a command.
        """
        waiting, dead, *leased = (_unless_missing(each) or 0 for each in replies)
        in_flight = sum(leased)
        return {"Waiting": waiting, "InFlight": in_flight, "Length": waiting + in_flight, "DeadLetters": dead}


def source_of(fields: Mapping[str, Any]) -> Source:
    """A stream or a list, as the event names it.

    Args:
        fields: The fields of a `Stream` or a `List`.

    Raises:
        TypeError: There are others.
    """
    return Stream(**fields) if "stream" in fields else List(**fields)


def _unless_missing(reply: Any) -> Any:
    """An answer; None in the place of an error about something that does not exist yet."""
    if isinstance(reply, RedisError):
        if str(reply).startswith(("NOGROUP", "ERR no such key")):
            return None
        raise reply
    return reply


def _group(groups: Sequence[Sequence[Any]], name: str) -> dict[str, Any] | None:
    found = (dict(zip(each[::2], each[1::2], strict=True)) for each in groups)
    return next((each for each in found if each["name"] == name), None)


def _unread(group: Mapping[str, Any] | None, length: int) -> int:
    """The entries that a group has not read: as many as there are where the server does not count them.

    https://redis.io/docs/latest/commands/xinfo-groups/
    """
    lag = None if group is None else group.get("lag")
    return length if lag is None else lag


def _milliseconds(entry_id: str) -> int:
    return int(entry_id.partition("-")[0])
