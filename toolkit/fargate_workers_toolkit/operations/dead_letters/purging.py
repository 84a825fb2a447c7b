"""The purge of dead letters that a filter or an id has named, after a copy of each was written."""

from dataclasses import dataclass
from pathlib import Path

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.dead_letters.choice import Choice
from fargate_workers_toolkit.operations.dead_letters.journal import writing
from fargate_workers_toolkit.operations.dead_letters.reading import passing
from fargate_workers_toolkit.operations.errors import OperationsError
from fargate_workers_toolkit.operations.sources import DeadLetterStore


@dataclass(kw_only=True)
class Purged:
    """What a purge came to.

    Args:
        deleted: Letters that were deleted.
        left: Letters that were seen and not chosen, or that arrived meanwhile.
        complete: Whether every letter was seen.
        journal: The journal's file, which has a copy of each deleted letter.
    """

    deleted: int = 0
    left: int = 0
    complete: bool = True
    journal: str = ""


def purge(
    store: DeadLetterStore,
    choice: Choice,
    *,
    folder: Path,
    clock: Clock,
    header: dict[str, object] | None = None,
) -> Purged:
    """Delete the chosen letters.

    Args:
        store: Where the letters lie.
        choice: Which of them: by id or by a filter.
        folder: The folder of the store's journals.
        clock: The time.
        header: What the journal's first line holds besides. Defaults to nothing.

    Raises:
        OperationsError: Nothing chooses them, the source refuses, or the journal cannot be written.
    """
    if not choice.ids and choice.where is None:
        raise OperationsError("A purge deletes only what is named; give --where or --id.")
    result = Purged()
    began = clock.now()
    with (
        writing(folder, "purge", {"store": store.name, "chosen": choice.described(), **(header or {})}) as journal,
        passing(store) as (state, letters),
    ):
        result.journal = str(journal.path)
        for letter in letters:
            if letter.died_at > began or not choice.takes(letter, now=clock.now()):
                result.left += 1
                continue
            if result.deleted == choice.limit:
                break
            journal.taken(letter)
            journal.sync()
            store.delete(letter)
            journal.deleted(letter)
            state.gone(letter)
            result.deleted += 1
        result.complete = state.complete
        journal.end(deleted=result.deleted)
    return result
