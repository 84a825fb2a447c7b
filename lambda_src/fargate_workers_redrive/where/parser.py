"""The filter of dead letters: `reason == "schema*" and body.amount > 0 and age < 2h`.

    condition   = and { "or" and }
    and         = not { "and" not }
    not         = "not" not | "(" condition ")" | comparison
    comparison  = value [ sign value | "in" "(" literal { "," literal } ")" ]
    value       = path | literal
    path        = field { "." name | "[" text or number "]" }

It is parsed, never run as code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

from fargate_workers_redrive.where.conditions import (
    FIELDS,
    Compared,
    Condition,
    Every,
    Literal,
    Not,
    OneOf,
    Path,
    Present,
    Some,
    Subject,
    Value,
    pattern,
)
from fargate_workers_redrive.where.letter import Letter
from fargate_workers_redrive.where.tokens import FilterError, Token, tokens

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_CONSTANTS = {"true": True, "false": False, "null": None}
_WORDS = {"and", "or", "not", "in", *_CONSTANTS}
_SIGNS = ("==", "!=", "<", "<=", ">", ">=")
#: Fields that are objects or lists; the others have no parts.
_WITH_PARTS = ("attributes", "body")
_DEEPEST = 50


@dataclass(frozen=True)
class Filter:
    """What chooses dead letters.

        Filter.parse('reason == "schema*" and age < 2h').matches(letter, now=clock.now())

    Args:
        text: As it was typed.
        condition: What it means.
    """

    text: str
    condition: Condition

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a filter.

        Args:
            text: The filter.

        Raises:
            FilterError: It cannot be read; the text names the place.
        """
        return cls(text, _Parser(text).read())

    def matches(self, letter: Letter, *, now: float) -> bool:
        """Whether a letter is chosen.

        Args:
            letter: The letter.
            now: Seconds since 1970.
        """
        return self.condition.holds(Subject(letter, now=now))


class _Parser:
    """Reads one filter, a token ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._place = 0
        self._depth = 0

    def read(self) -> Condition:
        if self._at_end:
            raise FilterError(1, 'the filter is empty; write, for example, reason == "schema*".')
        condition = self._or()
        if not self._at_end:
            raise self._unexpected("and, or")
        return condition

    @property
    def _at_end(self) -> bool:
        return self._next.kind == "end"

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _takes(self, *texts: str) -> bool:
        if self._next.kind in ("name", "sign") and self._next.text in texts:
            self._place += 1
            return True
        return False

    def _or(self) -> Condition:
        return self._joined("or", self._and, Some)

    def _and(self) -> Condition:
        return self._joined("and", self._not, Every)

    def _joined(
        self, word: str, part: Callable[[], Condition], join: Callable[[list[Condition]], Condition]
    ) -> Condition:
        parts = [part()]
        while self._takes(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else join(parts)

    def _not(self) -> Condition:
        begin = self._next
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FilterError(begin.position, f"more than {_DEEPEST} conditions inside each other; write it flatter.")
        try:
            if self._takes("not"):
                return Not(self._not())
            if self._takes("("):
                condition = self._or()
                self._expect(")")
                return condition
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Condition:
        begin = self._next
        left = self._value()
        if self._takes("in"):
            return OneOf(left, self._choices())
        sign = self._next
        if sign.kind != "sign" or sign.text not in _SIGNS:
            if isinstance(left, Path):
                return Present(left)
            raise self._unexpected("a comparison such as ==")
        self._take()
        right_begin = self._next
        right = self._value()
        _check_duration(left, right, right_begin)
        _check_duration(right, left, begin)
        if sign.text in ("==", "!="):
            left, right = (right, _as_pattern(left)) if isinstance(left, Literal) else (left, _as_pattern(right))
        return Compared(left, sign.text, right)

    def _choices(self) -> list[Literal]:
        closing = ")" if self._takes("(") else "]"
        if closing == "]":
            self._expect("[")
        choices: list[Literal] = []
        while True:
            begin = self._next
            choice = self._value()
            if not isinstance(choice, Literal):
                raise FilterError(begin.position, f'{begin.shown} is not expected here; name values, such as "a".')
            choices.append(_as_pattern(choice))
            if not self._takes(","):
                break
        self._expect(closing)
        return choices

    def _value(self) -> Path | Literal:
        token = self._next
        match token.kind:
            case "string":
                self._take()
                return Literal(_unquoted(token))
            case "number":
                self._take()
                return Literal(float(token.text) if any(c in token.text for c in ".eE") else int(token.text))
            case "duration":
                self._take()
                return Literal(float(token.text[:-1]) * _SECONDS[token.text[-1]], is_duration=True)
            case "name" if token.text in _CONSTANTS:
                self._take()
                return Literal(_CONSTANTS[token.text])
            case "name" if token.text not in _WORDS:
                return self._path()
            case _:
                raise self._unexpected("a field such as reason, or a value")

    def _path(self) -> Path:
        name = self._take()
        if name.text not in FIELDS:
            near = get_close_matches(name.text, FIELDS, n=1)
            hint = f"did you mean “{near[0]}”?" if near else f"use {', '.join(FIELDS)}."
            raise FilterError(name.position, f"there is no field {name.shown}; {hint}")
        steps: list[str | int] = []
        while self._next.text in (".", "[") and self._next.kind == "sign":
            if name.text not in _WITH_PARTS:
                raise FilterError(self._next.position, f"{name.shown} has no parts; only body and attributes have.")
            steps.append(self._step())
        return Path(name.text, tuple(steps))

    def _step(self) -> str | int:
        if self._takes("."):
            key = self._take()
            if key.kind != "name":
                raise FilterError(key.position, f'{key.shown} is not expected here; write body["{key.text}"].')
            return key.text
        self._expect("[")
        key = self._take()
        if key.kind == "string":
            step: str | int = _unquoted(key)
        elif key.kind == "number" and key.text.lstrip("-").isdigit():
            step = int(key.text)
        else:
            raise FilterError(key.position, f"{key.shown} is not expected here; write a text or a whole number.")
        self._expect("]")
        return step

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._unexpected(f"“{sign}”")

    def _unexpected(self, wanted: str) -> FilterError:
        return FilterError(self._next.position, f"{self._next.shown} is not expected here; write {wanted}.")


def _check_duration(field: Value, value: Value, at: Token) -> None:
    """An age without a unit, or a unit without an age, is a slip."""
    if isinstance(field, Path) and isinstance(value, Literal):
        if field.field == "age" and not value.is_duration:
            raise FilterError(at.position, "an age is compared with a duration such as 90s, 15m, 2h or 3d.")
        if field.field != "age" and value.is_duration:
            raise FilterError(at.position, f"{at.shown} is a duration; only age is compared with one.")


def _as_pattern(value: Any) -> Any:
    return Literal(pattern(value.value)) if isinstance(value, Literal) and isinstance(value.value, str) else value


def _unquoted(token: Token) -> str:
    """The text without its quotes; a star that was escaped stays so until it is compared."""
    quote, text = token.text[0], token.text[1:-1]
    return text.replace(f"\\{quote}", quote)
