"""Dead letters, counted by the reason of their death."""

from collections.abc import Sequence
from dataclasses import dataclass

from fargate_workers_toolkit.operations.sources import DeadLetter


@dataclass(kw_only=True)
class Group:
    """The letters that died of one reason.

    Args:
        reason: The reason.
        count: How many.
        first: When the first died, in seconds since 1970.
        last: When the last died.
        example: The id of the one that died last.
        error: The error of that one.
    """

    reason: str
    count: int
    first: float
    last: float
    example: str
    error: str


class Groups:
    """Counts letters by reason, and keeps none of them."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    def add(self, letter: DeadLetter) -> None:
        """Count one letter.

        Args:
            letter: The letter.
        """
        group = self._groups.get(letter.reason)
        if group is None:
            self._groups[letter.reason] = Group(
                reason=letter.reason,
                count=1,
                first=letter.died_at,
                last=letter.died_at,
                example=letter.id,
                error=letter.error,
            )
            return
        group.count += 1
        group.first = min(group.first, letter.died_at)
        if letter.died_at >= group.last:
            group.last, group.example, group.error = letter.died_at, letter.id, letter.error

    @property
    def total(self) -> int:
        """How many letters were counted."""
        return sum(group.count for group in self._groups.values())

    @property
    def largest_first(self) -> Sequence[Group]:
        """The groups, those with most letters first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.reason))
