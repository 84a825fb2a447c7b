"""Checks: what a run must have come to, as data; one line of the summary each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MOST_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Check:
    """One fact about a run.

    Args:
        name: What it is called.
        expected: What should be seen.
        seen: What was seen.
        passed: Whether that is right.
    """

    name: str
    expected: str
    seen: str
    passed: bool


def check(name: str, *, expected: object, seen: object, passed: bool | None = None) -> Check:
    """Compare two values.

    Args:
        name: What the check is called.
        expected: What should be seen.
        seen: What was seen.
        passed: Whether that is right. Defaults to whether both are equal.
    """
    verdict = expected == seen if passed is None else passed
    return Check(name=name, expected=str(expected), seen=str(seen), passed=verdict)


def check_same(name: str, *, expected: Iterable[str], seen: Iterable[str], what: str) -> Check:
    """Compare two sets; a few of the items that are missing or too many are shown.

    Args:
        name: What the check is called.
        expected: The items that should be there.
        seen: The items that are there.
        what: The word for several of them, for example `"orders"`.
    """
    wanted, found = set(expected), set(seen)
    text = f"{len(found)} {what}"
    for word, items in (("missing", wanted - found), ("unexpected", found - wanted)):
        if items:
            text += f"; {word}: {_some(sorted(items))}"
    return Check(name=name, expected=f"{len(wanted)} {what}", seen=text, passed=wanted == found)


def _some(items: Sequence[str]) -> str:
    rest = len(items) - MOST_SHOWN
    return ", ".join(items[:MOST_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
