"""What became of one message: its log lines across tasks, its claim, and its dead letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fargate_workers_toolkit.operations.dead_letters import passing
from fargate_workers_toolkit.operations.errors import OperationsError, answered
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
        if self.claim is not None:
            return "It is not done: its claim is held, or waits for the next attempt."
        if not self.lines:
            return "Nothing is known of it: no log line, no claim, no dead letter."
        return "It is not among the dead letters. A worker logs what failed, and not what is done, so it may be done."


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
    lines = list(log_lines(aws, settings.log_group, Wanted(since=since, text=text)))
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
    return Story(lines=lines, claim=claim, letter=letter, unknown=unknown)


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
