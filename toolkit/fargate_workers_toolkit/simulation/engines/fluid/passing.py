"""Long arrays of which only that part is in memory that was written and is not forgotten yet."""

import math
import mmap
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Both are missing on Windows, where nothing is forgotten before the end.
PRIVATE = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
# Python names it from 3.13 on; without it a system may refuse what is larger than its memory, though most stays empty.
UNRESERVED = 0x4000 if sys.platform == "linux" else 0
FORGET: int | None = getattr(mmap, "MADV_DONTNEED", None)


class Passing:
    """Rows along the last axis of a shape. Pages of zeros come into being when they are written.

    Args:
        shape: The shape.
        dtype: The type of an entry. Defaults to a float of 64 bits.

    Attributes:
        values: The array. What is forgotten may be zero, and must not be needed.
    """

    def __init__(self, *shape: int, dtype: Any = np.float64) -> None:
        size = np.dtype(dtype).itemsize
        self._row, self._rows, self._size = shape[-1], math.prod(shape[:-1]), size
        self._memory = None
        if not FORGET or not math.prod(shape):
            self.values: NDArray[Any] = np.zeros(shape, dtype=dtype)
            return
        self._memory = mmap.mmap(-1, math.prod(shape) * size, flags=PRIVATE | UNRESERVED)
        self.values = np.frombuffer(self._memory, dtype=dtype).reshape(shape)

    def forget(self, begin: int, end: int) -> None:
        """Forget what lies between, of each row; whole pages only."""
        if self._memory is None or FORGET is None:
            return
        for row in range(self._rows):
            first = -(-(row * self._row + begin) * self._size // mmap.PAGESIZE) * mmap.PAGESIZE
            last = (row * self._row + end) * self._size // mmap.PAGESIZE * mmap.PAGESIZE
            if last > first:
                self._memory.madvise(FORGET, first, last - first)
