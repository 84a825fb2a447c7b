"""What every program's handler does: count. Rate, and CPU for each, of all but the first tenth go to RESULT_FILE."""

import itertools
import os
import time
from pathlib import Path

MANY = int(os.environ.get("MANY", "0"))
FIRST = max(1, MANY // 10)
_numbers = itertools.count(1)
_began = [0.0, 0.0]


def handled() -> None:
    """One message more."""
    number = next(_numbers)
    if number == FIRST:
        _began[:] = time.perf_counter(), time.process_time()
    if number == MANY:
        counted = max(1, MANY - FIRST)
        rate = counted / (time.perf_counter() - _began[0])
        used = (time.process_time() - _began[1]) / counted
        whole = Path(os.environ["RESULT_FILE"])
        part = whole.with_suffix(".part")
        part.write_text(f"{rate} {used * 1e6}")
        part.rename(whole)
