"""What became of one message: its log lines across tasks, its claim, and its dead letter."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_toolkit.operations.dead_letters import passing
from fargate_workers_toolkit.operations.errors import OperationsError, answered
from fargate_workers_toolkit.operations.messages.ending import ending_of
from fargate_workers_toolkit.operations.messages.log_lines import LogLine, Wanted, log_lines
from fargate_workers_toolkit.operations.places import Aws
from fargate_workers_toolkit.operations.sources import DeadLetter, DeadLetterStore
from fargate_workers_toolkit.operations.workers import TaskSettings


@dataclass(frozen=True, kw_only=True)
class ClaimState:
    """The claim of a key.

    Args:
        completed: Whether its effect is recorded.
        attempts: How often it was claimed.
        message_id: The message that claimed it last. Empty: unknown.
        lease_until: When the lease of an unfinished claim ends, in seconds since 1970. None: it is completed.
    """

    completed: bool
    attempts: int
    message_id: str
    lease_until: float | None


@dataclass(frozen=True, kw_only=True)
class Story:
    """What became of one message.

    Args:
        lines: Its log lines, oldest first.
        claim: The claim of its key. None: none is kept, or no key is known.
        letter: Its dead letter. None: it is not among the dead letters.
        unknown: What could not be read, and why.
    """

    lines: Sequence[LogLine]
    claim: ClaimState | None
    letter: DeadLetter | None
    unknown: Sequence[str]

    def ending(self) -> str:
        """How it ended, in a sentence, as far as is known."""
        if self.letter is not None:
            return f"It is dead: {self.letter.reason}."
        if self.claim is not None and self.claim.completed:
            return "It is done: its claim is completed."
        ending = ending_of(self.lines)
        if ending:
            return ending
        if self.claim is not None:
            return "It is not done: its claim is held, or waits for the next attempt."
        if not self.lines:
            return (
                "No log line, no claim and no dead letter has it: it was handled at its first delivery, it waits, or "
                "there is no such message."
            )
        return "It is not among the dead letters, and no line names its end."

    @property
    def sent_at(self) -> str:
        """When it was sent, by the first line that has it. Empty: none has."""
        return next((str(line.fields["sent_at"]) for line in self.lines if "sent_at" in line.fields), "")


def story_of(
    aws: Aws, settings: TaskSettings, store: DeadLetterStore | None, *, text: str, is_key: bool, since: float
) -> Story:
    """Read the story of a message.

    Args:
        aws: The worker's AWS.
        settings: The worker's task definition.
        store: Where its dead letters lie. None: it keeps none.
        text: The message's id, or its idempotency key.
        is_key: Whether it is the key.
        since: From when on lines are read, in seconds since 1970.

    Raises:
        OperationsError: The log cannot be read.
    """
    unknown: list[str] = []
    claim: ClaimState | None = None
    letter: DeadLetter | None = None
    try:
        claim = _claim(aws, settings, text) if is_key else None
    except OperationsError as error:
        unknown.append(f"claim: {error}")
    try:
        letter = None if store is None else _letter(store, text, is_key=is_key)
    except OperationsError as error:
        unknown.append(f"dead letters: {error}")
    names = {text, *([_digest(text)] if is_key else []), *_names_of(letter, is_key=is_key)}
    lines = _lines(aws, settings.log_group, names, since=since, is_key=is_key)
    return Story(lines=lines, claim=claim, letter=letter, unknown=unknown)


def _lines(aws: Aws, group: str, names: set[str], *, since: float, is_key: bool) -> list[LogLine]:
    """The lines of a message by all of its names: one that was replayed has several, and some lines lack the key."""
    lines = _found(aws, group, names, since=since)
    fields = ("replay_of", "message_id") if is_key else ("replay_of",)
    others = {str(line.fields[name]) for line in lines for name in fields if name in line.fields} - names
    return _found(aws, group, names | others, since=since) if others else lines


def _found(aws: Aws, group: str, names: Iterable[str], *, since: float) -> list[LogLine]:
    return list(log_lines(aws, group, Wanted(since=since, texts=tuple(sorted(names)))))


def _names_of(letter: DeadLetter | None, *, is_key: bool) -> list[str]:
    """The names that a dead letter has had; a key is enough."""
    if letter is None or is_key:
        return []
    names = (letter.id, letter.original_id, letter.attributes.get("replay.first", ""))
    return [name for name in names if name]


def _digest(key: str) -> str:
    """A key as workers log it, which log no key itself: it may be personal."""
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _claim(aws: Aws, settings: TaskSettings, key: str) -> ClaimState | None:
    table = settings.variables.get("CLAIMS_TABLE_NAME")
    if not table:
        return None
    scope = settings.variables.get("WORKER_NAME", "")
    with answered(sign_in=aws.place.sign_in):
        answer = aws.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": f"{scope}#{key}"}})
    item: dict[str, Any] = answer.get("Item", {})
    if not item:
        return None
    completed = item.get("st") == {"S": "C"}
    return ClaimState(
        completed=completed,
        attempts=int(item.get("n", {}).get("N", "0")),
        message_id=item.get("mi", {}).get("S", ""),
        lease_until=None if completed else int(item.get("lu", {}).get("N", "0")) / 1_000,
    )


def _letter(store: DeadLetterStore, text: str, *, is_key: bool) -> DeadLetter | None:
    with passing(store) as (_, letters):
        for letter in letters:
            if text in (letter.id, letter.original_id) or (is_key and text in letter.body):
                return letter
    return None
