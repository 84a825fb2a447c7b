"""The words of a filter, each with its position."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["string", "duration", "number", "name", "sign", "end"]

_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
  | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
  | (?P<duration>\d+(?:\.\d+)?[smhd]\b)
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d]\w*)
  | (?P<sign>==|!=|>=|<=|[<>()\[\].,])
    """,
    re.VERBOSE | re.DOTALL,
)
#: What people type who know other languages, and what is meant.
_MEANT = {"=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "~": "==", "=~": "=="}


class FilterError(ValueError):
    """A filter that cannot be read; the text names the place.

    Args:
        position: Where, counted from 1.
        what: What is wrong there.
    """

    def __init__(self, position: int, what: str) -> None:
        super().__init__(f"at position {position}: {what}")
        self.position = position
        self.what = what


@dataclass(frozen=True)
class Token:
    """One word.

    Args:
        kind: What it is.
        text: As it was typed.
        position: Where it begins, counted from 1.
    """

    kind: Kind
    text: str
    position: int

    @property
    def shown(self) -> str:
        """What it is called in an error."""
        return "the end" if self.kind == "end" else f"“{self.text}”"


def tokens(text: str) -> Iterator[Token]:
    """Split a filter into its words; the last one is the end.

    Args:
        text: The filter.

    Raises:
        FilterError: A character belongs to no word.
    """
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise FilterError(place + 1, _unexpected(text, place))
        kind = match.lastgroup
        if kind in ("string", "duration", "number", "name", "sign"):
            yield Token(kind, match.group(), place + 1)
        place = match.end()
    yield Token("end", "", len(text) + 1)


def _unexpected(text: str, place: int) -> str:
    if text[place] in "\"'":
        return f"the text that begins here has no closing {text[place]}."
    found = re.match(r"[=&|!~]+", text[place:])
    word = found.group() if found else text[place]
    hint = f"; write “{_MEANT[word]}”" if word in _MEANT else ""
    return f"“{word}” is not expected here{hint}."
