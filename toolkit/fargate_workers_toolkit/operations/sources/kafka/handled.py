"""Which records of one partition are done: all below an offset, and some above it. Pure arithmetic.

Kafka deletes no single record. What a person has replayed or purged is therefore noted as a commit of a group that
nobody joins: the offset, and in the commit's metadata the records above it.
"""

import re
from dataclasses import dataclass

#: What a broker takes by default: https://kafka.apache.org/documentation/#brokerconfigs_offset.metadata.max.bytes
MAX_METADATA_BYTES = 4_096
_RANGES = re.compile(r"done:(\d+\+\d+(?:,\d+\+\d+)*)")


@dataclass(frozen=True, kw_only=True)
class Handled:
    """The records of a partition that are done.

    Args:
        before: Records below this offset are.
        ranges: So are these above it, each from its first offset to the one after its last, in ascending order.
    """

    before: int
    ranges: tuple[tuple[int, int], ...] = ()

    @property
    def above(self) -> int:
        """How many are done above `before`."""
        return sum(end - first for first, end in self.ranges)

    def has(self, offset: int) -> bool:
        """Whether a record is done.

        Args:
            offset: Its offset.
        """
        return offset < self.before or any(first <= offset < end for first, end in self.ranges)

    def with_(self, offset: int) -> "Handled":
        """With one more record.

            >>> Handled(before=3).with_(5).with_(3)
            Handled(before=4, ranges=((5, 6),))

        Args:
            offset: Its offset.
        """
        if self.has(offset):
            return self
        merged: list[tuple[int, int]] = []
        for first, end in sorted([*self.ranges, (offset, offset + 1)]):
            if merged and merged[-1][1] == first:
                merged[-1] = merged[-1][0], end
            else:
                merged.append((first, end))
        before = self.before
        if merged[0][0] == before:
            before = merged.pop(0)[1]
        return Handled(before=before, ranges=tuple(merged))

    def from_(self, first: int) -> "Handled":
        """Without what the topic no longer holds.

        Args:
            first: The offset of its first record.
        """
        if first <= self.before:
            return self
        left = [(max(begin, first), end) for begin, end in self.ranges if end > first]
        if left and left[0][0] == first:
            return Handled(before=left[0][1], ranges=tuple(left[1:]))
        return Handled(before=first, ranges=tuple(left))

    def metadata(self) -> str:
        """What a commit at `before` carries: each range as its distance from there, and its length.

        >>> Handled(before=4, ranges=((5, 6), (9, 12))).metadata()
        'done:1+1,5+3'
        """
        if not self.ranges:
            return ""
        return "done:" + ",".join(f"{first - self.before}+{end - first}" for first, end in self.ranges)

    @classmethod
    def read(cls, before: int, metadata: str | None) -> "Handled":
        """What a commit shows; the offset alone if this package did not write it.

            >>> Handled.read(4, "done:1+1,5+3").ranges
            ((5, 6), (9, 12))

        Args:
            before: The offset that was committed.
            metadata: Its metadata, or none.
        """
        found = _RANGES.fullmatch(metadata or "")
        if found is None:
            return cls(before=before)
        pairs = [tuple(map(int, each.split("+"))) for each in found[1].split(",")]
        return cls(before=before, ranges=tuple((before + apart, before + apart + many) for apart, many in pairs))
