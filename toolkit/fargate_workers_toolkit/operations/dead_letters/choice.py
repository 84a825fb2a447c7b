"""Which dead letters are meant: by id, by a filter, or all that were there when the command began."""

from collections.abc import Collection
from dataclasses import dataclass

from fargate_workers_toolkit.operations.dead_letters.where import Filter
from fargate_workers_toolkit.operations.sources import DeadLetter


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What chooses letters.

    Args:
        ids: Ids of letters, or of the messages before they died. Defaults to any.
        where: A filter. Defaults to none.
        limit: The most letters. Defaults to no limit.
    """

    ids: Collection[str] = ()
    where: Filter | None = None
    limit: int | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it leaves out nothing."""
        return not self.ids and self.where is None and self.limit is None

    def takes(self, letter: DeadLetter, *, now: float) -> bool:
        """Whether it chooses a letter.

        Args:
            letter: The letter.
            now: Seconds since 1970.
        """
        if self.ids and letter.id not in self.ids and letter.original_id not in self.ids:
            return False
        return self.where is None or self.where.matches(letter, now=now)

    def named(self) -> str:
        """What a letter must have, in words; empty, if any will do."""
        parts = [f"the id {' or '.join(sorted(self.ids))}"] if self.ids else []
        parts += [self.where.text] if self.where is not None else []
        return " and ".join(parts)

    def described(self) -> str:
        """The choice in words, for a journal."""
        most = [f"at most {self.limit}"] if self.limit is not None else []
        return "; ".join(filter(None, [self.named(), *most])) or "all"
