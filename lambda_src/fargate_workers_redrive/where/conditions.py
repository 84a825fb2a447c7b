"""Conditions on a dead letter, as values that decide."""

import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from fargate_workers_redrive.where.letter import Letter

MISSING: Final = object()


class Subject:
    """A dead letter that is judged; its body is decoded once, and only when a condition reads it.

    Args:
        letter: The letter.
        now: Seconds since 1970.
    """

    def __init__(self, letter: Letter, *, now: float) -> None:
        self.letter = letter
        self.now = now
        self._body: Any = MISSING

    @property
    def body(self) -> Any:
        """The body as JSON, or its text where it is none."""
        if self._body is MISSING:
            try:
                self._body = json.loads(self.letter.body)
            except (ValueError, RecursionError):
                self._body = self.letter.body
        return self._body


#: The fields of a letter, by the names that a filter has for them.
FIELDS: Mapping[str, Callable[[Subject], Any]] = {
    "age": lambda subject: max(0.0, subject.now - subject.letter.died_at),
    "attributes": lambda subject: subject.letter.attributes,
    "body": lambda subject: subject.body,
    "error": lambda subject: subject.letter.error,
    "group": lambda subject: subject.letter.group,
    "id": lambda subject: subject.letter.id,
    "original_id": lambda subject: subject.letter.original_id,
    "reason": lambda subject: subject.letter.reason,
    "receives": lambda subject: subject.letter.receives,
    "size": lambda subject: len(subject.letter.body.encode()),
}


class Condition(Protocol):
    """What holds for a letter, or does not."""

    def holds(self, subject: Subject) -> bool:
        """Whether it holds.

        Args:
            subject: The letter.
        """
        ...


class Value(Protocol):
    """One side of a comparison."""

    def of(self, subject: Subject) -> Any:
        """Its value; `MISSING` where the letter has none.

        Args:
            subject: The letter.
        """
        ...


@dataclass(frozen=True)
class Literal:
    """A value as it was typed.

    Args:
        value: The value; a duration is its seconds.
        is_duration: Whether it was typed with a unit. Defaults to False.
    """

    value: Any
    is_duration: bool = False

    def of(self, subject: Subject) -> Any:
        """The value.

        Args:
            subject: The letter.
        """
        del subject
        return self.value


@dataclass(frozen=True)
class Path:
    """A field of the letter, or a part of its body or attributes.

    Args:
        field: The field.
        steps: Keys and positions below it.
    """

    field: str
    steps: Sequence[str | int] = ()

    def of(self, subject: Subject) -> Any:
        """The value there.

        Args:
            subject: The letter.
        """
        value: Any = FIELDS[self.field](subject)
        for step in self.steps:
            value = _step(value, step)
        return value


@dataclass(frozen=True)
class Compared:
    """A comparison. What cannot be compared is unequal, and neither larger nor smaller.

    Args:
        left: The one side.
        sign: The comparison.
        right: The other side.
    """

    left: Value
    sign: str
    right: Value

    def holds(self, subject: Subject) -> bool:
        """Whether it holds.

        Args:
            subject: The letter.
        """
        left, right = self.left.of(subject), self.right.of(subject)
        if self.sign in ("==", "!="):
            return _equal(_text_for(self.left, left, right, subject), right) == (self.sign == "==")
        return _ordered(left, right) and bool(_ORDERS[self.sign](left, right))


@dataclass(frozen=True)
class OneOf:
    """A value that equals one of several.

    Args:
        left: The value.
        choices: The several.
    """

    left: Value
    choices: Sequence[Literal]

    def holds(self, subject: Subject) -> bool:
        """Whether it holds.

        Args:
            subject: The letter.
        """
        return any(Compared(self.left, "==", choice).holds(subject) for choice in self.choices)


@dataclass(frozen=True)
class Present:
    """A value that is there, and neither null nor false.

    Args:
        value: The value.
    """

    value: Value

    def holds(self, subject: Subject) -> bool:
        """Whether it holds.

        Args:
            subject: The letter.
        """
        found = self.value.of(subject)
        return found is not MISSING and found is not None and found is not False


@dataclass(frozen=True)
class Not:
    """The opposite of a condition.

    Args:
        condition: The condition.
    """

    condition: Condition

    def holds(self, subject: Subject) -> bool:
        """Whether it holds.

        Args:
            subject: The letter.
        """
        return not self.condition.holds(subject)


@dataclass(frozen=True)
class Every:
    """Conditions that all hold.

    Args:
        conditions: The conditions.
    """

    conditions: Sequence[Condition]

    def holds(self, subject: Subject) -> bool:
        """Whether they hold.

        Args:
            subject: The letter.
        """
        return all(condition.holds(subject) for condition in self.conditions)


@dataclass(frozen=True)
class Some:
    """Conditions of which one holds.

    Args:
        conditions: The conditions.
    """

    conditions: Sequence[Condition]

    def holds(self, subject: Subject) -> bool:
        """Whether one holds.

        Args:
            subject: The letter.
        """
        return any(condition.holds(subject) for condition in self.conditions)


def pattern(text: str) -> "str | re.Pattern[str]":
    """Text to compare with, in which `*` stands for anything and `\\*` for itself.

    Args:
        text: The text.
    """
    parts = re.split(r"(\\.|\*)", text, flags=re.DOTALL)
    if "*" not in parts:
        return "".join(part[1:] if part.startswith("\\") else part for part in parts)
    return re.compile(
        "".join(".*" if part == "*" else re.escape(part[1:] if part.startswith("\\") else part) for part in parts),
        re.DOTALL,
    )


_ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _step(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return cast("Mapping[str, Any]", value).get(step, MISSING) if isinstance(value, Mapping) else MISSING
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return items[step] if -len(items) <= step < len(items) else MISSING
    return MISSING


def _text_for(side: Value, left: Any, right: Any, subject: Subject) -> Any:
    """The whole body, compared with text, is its text."""
    whole = isinstance(side, Path) and side.field == "body" and not side.steps
    return subject.letter.body if whole and isinstance(right, str | re.Pattern) else left


def _equal(left: Any, right: Any) -> bool:
    if isinstance(right, re.Pattern):
        return isinstance(left, str) and cast("re.Pattern[str]", right).fullmatch(left) is not None
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left is not MISSING and right is not MISSING and left == right


def _ordered(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return numbers or (isinstance(left, str) and isinstance(right, str))
