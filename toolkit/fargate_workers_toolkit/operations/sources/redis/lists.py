"""A Redis list and its dead-letter list."""

import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from fargate_workers_observer.measuring import List
from fargate_workers_toolkit.operations.sources.redis.connecting import RedisServer
from fargate_workers_toolkit.operations.sources.redis.measures import MeasuredSource
from fargate_workers_toolkit.operations.sources.source import DeadLetter, DeadLetterStore, Depth

_PAGE = 100
#: Hexadecimal digits of the id that the runtime's producer puts before a body: its time, and what is left to chance.
_ID_DIGITS = 32
_TIME_DIGITS = 12

# KEYS are dead-letter list, list; ARGV are the letter as it lies there, and the new element
# Returns how many letters were moved. One step: anybody else who replays the same letter finds it gone.
_MOVE = """#!lua
if redis.call('LREM', KEYS[1], -1, ARGV[1]) == 0 then
    return 0
end
redis.call('LPUSH', KEYS[2], ARGV[2])
return 1
"""


class RedisListSource(MeasuredSource):
    """A list.

    Args:
        server: The server.
        variables: The variables of the worker's container, of which it reads LIST_*.
    """

    kind = "Redis list"

    def __init__(self, server: RedisServer, variables: Mapping[str, str]) -> None:
        self.name: str = variables["LIST_NAME"]
        self._dead_letters = variables.get("LIST_DEAD_LETTERS", "")
        leased = [] if variables.get("LIST_DELIVERY") == "at-most-once" else [f"{self.name}:leases"]
        measured = List(source=self.name, list=self.name, leased=leased, dead_letters=self._dead_letters or self.name)
        super().__init__(server, measured)

    @property
    def dead_letters(self) -> DeadLetterStore | None:
        """Its dead-letter list."""
        if not self._dead_letters:
            return None
        return RedisListLetters(self._server, name=self._dead_letters, origin=self.name)


class RedisListLetters:
    """A dead-letter list. To look at it is LRANGE, which takes nothing out.

    Args:
        server: The server.
        name: Its key.
        origin: The key of the list that its letters return to.
    """

    ordered = True
    unseen = "somebody else has taken them meanwhile"

    def __init__(self, server: RedisServer, *, name: str, origin: str) -> None:
        self._server = server
        self.name: str = name
        self.origin: str = origin
        self._passed = 0
        self._moved: set[str] = set()

    def depth(self) -> Depth:
        """The letters that are there."""
        return Depth(waiting=int(self._server.call("LLEN", self.name)), in_flight=0)

    def lease(self, *, seconds: int, wait: int) -> list[DeadLetter]:
        """The next letters, the oldest first. Nobody is kept from seeing them.

        Args:
            seconds: Of no meaning here.
            wait: Of no meaning here.
        """
        del seconds, wait
        elements = self._server.call("LRANGE", self.name, -self._passed - _PAGE, -self._passed - 1)
        self._passed += len(elements)
        return [_letter(element) for element in reversed(elements)]

    def release(self, tokens: Sequence[str]) -> None:
        """Begin anew: a look leaves nothing behind.

        Args:
            tokens: Of no meaning here.
        """
        del tokens
        self._passed = 0

    def send_back(self, letter: DeadLetter, *, marks: Mapping[str, str]) -> str | None:
        """Push a letter's body onto the list that it came from, and take it out of this one, in one step.

        Args:
            letter: The letter.
            marks: Of no meaning here: an element has no attributes.

        Returns:
            The new message's id; None, if the letter is gone.
        """
        del marks
        made = f"{int(time.time() * 1_000):0{_TIME_DIGITS}x}{uuid.uuid4().hex[: _ID_DIGITS - _TIME_DIGITS]}"
        element = f"{made}|".encode() + letter.native["body"]
        moved = self._server.run(_MOVE, keys=[self.name, self.origin], arguments=[letter.native["element"], element])
        self._passed -= 1
        self._moved.add(letter.id)
        return made if moved else None

    def delete(self, letter: DeadLetter) -> None:
        """Delete a letter that was not sent back.

        Args:
            letter: The letter.
        """
        if letter.id in self._moved:  # another of the same content may lie there
            return
        self._passed -= int(self._server.call("LREM", self.name, -1, letter.native["element"]))


def _letter(element: bytes) -> DeadLetter:
    try:
        parsed: object = json.loads(element.decode(errors="surrogateescape"))
    except ValueError:
        parsed = None
    # What no worker of this package has put there is shown as it is.
    fields = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) and "body" in parsed else {}
    body = str(fields.get("body", element.decode(errors="surrogateescape"))).encode(errors="surrogateescape")
    original_id = str(fields.get("dlq.originalMessageId", ""))
    receives = str(fields.get("dlq.receiveCount", ""))
    name = original_id or hashlib.sha256(element).hexdigest()[:_ID_DIGITS]
    return DeadLetter(
        id=name,
        body=body.decode(errors="replace"),
        reason=_shown(fields.get("dlq.reason")) or "unknown",
        error=_shown(fields.get("dlq.error")),
        group=None,
        died_at=_sent_at(original_id),
        receives=int(receives) if receives.isdecimal() else 0,
        original_id=original_id,
        attributes={},
        token=name,
        native={"element": element, "body": body},
    )


def _shown(value: object) -> str:
    """Text that can be printed and written: what was not UTF-8 is replaced."""
    return "" if value is None else str(value).encode(errors="surrogateescape").decode(errors="replace")


def _sent_at(message_id: str) -> float:
    """When a message was sent, or taken out of the list: a list knows no other time of it. 0: neither is known.

    The runtime's producer begins an id with the milliseconds in hexadecimal digits; of what another has pushed, the
    worker makes an id of milliseconds and a number.
    """
    milliseconds, dash, _ = message_id.partition("-")
    if dash and milliseconds.isdecimal():
        return int(milliseconds) / 1_000
    try:
        return int(message_id[:_TIME_DIGITS], 16) / 1_000 if len(message_id) == _ID_DIGITS else 0.0
    except ValueError:
        return 0.0
