"""A Redis stream, one consumer group of it, and its dead-letter stream."""

import json
from collections.abc import Mapping, Sequence

from fargate_workers_observer.measuring import Stream
from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.sources.redis.connecting import RedisServer
from fargate_workers_toolkit.operations.sources.redis.measures import MeasuredSource
from fargate_workers_toolkit.operations.sources.source import DeadLetter, DeadLetterStore, Depth

_PAGE = 100
#: The field of an entry that holds its payload; without it, the entry is one.
_BODY = "body"
#: The prefix of the fields that a worker gives an entry when it gives it up.
_OF_DEATH = "dlq."
#: As the producers of the runtime: the rest is for those that do not ask.
_FULL = 0.9

# KEYS are dead-letter stream, stream; ARGV are the letter's id, the most entries (0: no limit), fields and values
# Returns the new entry's id; nothing, if the letter is gone; the number of entries of a stream that is full.
# One step: anybody else who replays the same letter finds it gone, and no crash leaves it in both streams.
_MOVE = """#!lua
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then
    return false
end
local most, length = tonumber(ARGV[2]), redis.call('XLEN', KEYS[2])
if most > 0 and length >= most then
    return length
end
local added = redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
redis.call('XDEL', KEYS[1], ARGV[1])
return added
"""


class RedisStreamSource(MeasuredSource):
    """A stream, as one group drains it.

    Args:
        server: The server.
        variables: The variables of the worker's container, of which it reads STREAM_*.
    """

    kind = "Redis stream"

    def __init__(self, server: RedisServer, variables: Mapping[str, str]) -> None:
        self.name: str = variables["STREAM_NAME"]
        self._dead_letters = variables.get("STREAM_DEAD_LETTERS", "")
        self._most = int(int(variables.get("STREAM_MAX_LENGTH", "0")) * _FULL)
        group = variables["STREAM_GROUP"]
        measured = Stream(
            source=self.name,
            stream=self.name,
            group=group,
            later=f"{self.name}:later:{group}",
            dead_letters=self._dead_letters or self.name,
            retained=variables.get("STREAM_RETAIN_SECONDS", "0") != "0",
        )
        super().__init__(server, measured)

    @property
    def dead_letters(self) -> DeadLetterStore | None:
        """Its dead-letter stream."""
        if not self._dead_letters:
            return None
        return RedisStreamLetters(self._server, name=self._dead_letters, origin=self.name, most=self._most)


class RedisStreamLetters:
    """A dead-letter stream. To look at it is XRANGE, which no group notices.

    Args:
        server: The server.
        name: Its key.
        origin: The key of the stream that its letters return to.
        most: Entries beyond which that stream takes no more. 0: no limit.
    """

    ordered = True
    unseen = "somebody else has taken them meanwhile"

    def __init__(self, server: RedisServer, *, name: str, origin: str, most: int) -> None:
        self._server = server
        self.name: str = name
        self.origin: str = origin
        self._most = most
        self._after = "-"

    def depth(self) -> Depth:
        """The letters that are there."""
        return Depth(waiting=int(self._server.call("XLEN", self.name)), in_flight=0)

    def lease(self, *, seconds: int, wait: int) -> list[DeadLetter]:
        """The next letters, the oldest first. Nobody is kept from seeing them.

        Args:
            seconds: Of no meaning here.
            wait: Of no meaning here.
        """
        del seconds, wait
        entries = self._server.call("XRANGE", self.name, self._after, "+", "COUNT", _PAGE)
        if entries:
            self._after = f"({entries[-1][0].decode()}"
        return [_letter(entry_id, fields) for entry_id, fields in entries]

    def release(self, tokens: Sequence[str]) -> None:
        """Begin anew: a look leaves nothing behind.

        Args:
            tokens: Of no meaning here.
        """
        del tokens
        self._after = "-"

    def send_back(self, letter: DeadLetter, *, marks: Mapping[str, str]) -> str | None:
        """Add a letter to the stream that it came from, and take it out of this one, in one step.

        Args:
            letter: The letter.
            marks: Fields that are added.

        Returns:
            The new entry's id; None, if the letter is gone.

        Raises:
            OperationsError: The stream is full, or the server refuses.
        """
        fields: list[bytes] = letter.native["fields"]
        kept: list[bytes] = []
        for name, value in zip(fields[::2], fields[1::2], strict=True):
            if not name.startswith(_OF_DEATH.encode()) and name.decode(errors="replace") not in marks:
                kept += [name, value]
        kept += [text.encode() for mark in marks.items() for text in mark]
        added = self._server.run(_MOVE, keys=[self.name, self.origin], arguments=[letter.id, self._most, *kept])
        if isinstance(added, int):
            raise OperationsError(
                f"{self.origin} holds {added:,} entries and takes no more; let its workers catch up, and run it again."
            )
        return None if added is None else added.decode()

    def delete(self, letter: DeadLetter) -> None:
        """Delete a letter.

        Args:
            letter: The letter.
        """
        self._server.call("XDEL", self.name, letter.id)


def _letter(entry_id: bytes, fields: list[bytes]) -> DeadLetter:
    texts = [each.decode(errors="replace") for each in fields]
    named = dict(zip(texts[::2], texts[1::2], strict=True))
    sent = {name: value for name, value in named.items() if not name.startswith(_OF_DEATH)}
    body = sent.pop(_BODY, None)
    name = entry_id.decode()
    receives = named.get("dlq.receiveCount", "")
    return DeadLetter(
        id=name,
        body=json.dumps(sent) if body is None else body,
        reason=named.get("dlq.reason") or "unknown",
        error=named.get("dlq.error", ""),
        group=None,
        died_at=int(name.partition("-")[0]) / 1_000,
        receives=int(receives) if receives.isdecimal() else 0,
        original_id=named.get("dlq.originalMessageId", ""),
        attributes=sent,
        token=name,
        native={"fields": fields},
    )
