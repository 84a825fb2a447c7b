"""What a commit carries with its offset, in its metadata. Pure arithmetic.

A process that dies takes its memory along. What it committed last is read by the next owner of the partition: whether
the owner left in peace, how often the lowest unfinished records were attempted, and which of the records above the
commit are finished, so that they do not run again.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, cast

#: What a broker takes by default: https://kafka.apache.org/documentation/#brokerconfigs_offset.metadata.max.bytes
MAX_METADATA_BYTES = 4096

#: Records whose attempts are kept, the lowest first: with six digits each, they fit.
MOST_RECORDS = 100


class Attempted(NamedTuple):
    """How often attempts at one record began, and how many of them ended by a failure."""

    begun: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the last owner of a partition committed.

    Attributes:
        owned: It had the partition when it committed: unless it commits again when it leaves, it died.
        attempts: Attempts by offset.
        through: Offsets below it are finished, but for those in `unfinished`.
        unfinished: Offsets below `through`, from the commit's on.
    """

    owned: bool = False
    attempts: Mapping[int, Attempted] = field(default_factory=dict[int, Attempted])
    through: int = 0
    unfinished: Collection[int] = frozenset()

    def has_finished(self, offset: int) -> bool:
        """Whether the record at `offset`, at least the commit's, is finished."""
        return offset < self.through and offset not in self.unfinished


def written(
    low: int,
    *,
    owned: bool,
    attempts: Iterable[tuple[int, Attempted]] = (),
    through: int = 0,
    unfinished: Iterable[int] = (),
) -> str:
    """The metadata of a commit at `low`. What does not fit is left out, the highest offsets first.

    Args:
        low: The offset that is committed.
        owned: The owner keeps the partition.
        attempts: Offsets with their attempts, in ascending order.
        through: Offsets below it are finished, but for those in `unfinished`. Default: nothing is known of any.
        unfinished: Offsets from `low` on, in ascending order.

    Example:
        >>> written(70, owned=True, attempts=[(75, Attempted(1, 0))], through=90, unfinished=[70, 75])
        '{"o":1,"a":[[5,1,0]],"n":20,"u":[0,5]}'
    """
    counts = [[offset - low, *attempted] for offset, attempted in islice(attempts, MOST_RECORDS)]
    places = [offset - low for offset in unfinished]
    end = max(0, through - low)
    while True:
        found = {"o": int(owned), "a": counts, "n": end, "u": places}
        excess = len(text := json.dumps(found, separators=(",", ":"))) - MAX_METADATA_BYTES
        if excess <= 0:
            return text
        if places:  # nothing is known from the first on that is left out
            digits = len(str(places[-1])) + 1
            cut = max(0, len(places) - max(1, excess // digits))
            end = places[cut]
            del places[cut:]
        else:
            del counts[-10:]


def read(low: int, metadata: str | None) -> Kept:
    """The content of metadata; nothing if this package did not write it.

    Args:
        low: The offset that it was committed with.
        metadata: The metadata, or none.

    Example:
        >>> kept = read(70, '{"o":1,"a":[[5,1,0]],"n":20,"u":[0,5]}')
        >>> kept.attempts, kept.has_finished(75), kept.has_finished(76)
        ({75: Attempted(begun=1, failed=0)}, False, True)
    """
    try:
        found: Any = json.loads(metadata or "{}")
        counts, places = cast("list[list[int]]", found["a"]), cast("list[int]", found["u"])
        return Kept(
            owned=bool(found["o"]),
            attempts={low + place: Attempted(int(begun), int(failed)) for place, begun, failed in counts},
            through=low + int(found["n"]),
            unfinished=frozenset(low + place for place in places),
        )
    except (ValueError, TypeError, KeyError):
        return Kept()
