"""The watermark of a partition: the lowest offset that is not finished. Pure arithmetic."""

from collections import OrderedDict
from collections.abc import Collection


class Watermark:
    """Offsets that were taken, in ascending order, and those of them that are finished, in any order.

    Offsets may be missing: compaction removes records, and transactions use offsets for markers.

    Example:
        >>> watermark = Watermark()
        >>> for offset in (5, 6, 9):
        ...     watermark.take(offset)
        >>> watermark.finish(6)
        >>> watermark.low
        5
        >>> watermark.finish(5)
        >>> watermark.low
        9
        >>> watermark.finish(9)
        >>> watermark.low
        10
    """

    def __init__(self) -> None:
        self._open: OrderedDict[int, None] = OrderedDict()  # its first is found at once, unlike a dictionary's
        self.next: int | None = None

    @property
    def low(self) -> int | None:
        """The lowest offset that is not finished, or else the next one; None before the first is taken."""
        return next(iter(self._open), self.next)

    @property
    def unfinished(self) -> Collection[int]:
        """The offsets that are taken and not finished, in ascending order. All others below `next` are finished."""
        return self._open.keys()

    def take(self, offset: int) -> None:
        """Note that the record at `offset`, at least `next`, is there to be worked on."""
        self._open[offset] = None
        self.next = offset + 1

    def skip(self, offset: int) -> None:
        """Note that the record at `offset`, at least `next`, is finished already."""
        self.next = offset + 1

    def finish(self, offset: int) -> None:
        """Note that the record at `offset`, which was taken, is finished for good."""
        del self._open[offset]
