"""What every program's handler does: count. The rate of all but the first tenth goes to RESULT_FILE."""

import itertools
import os
import time
from pathlib import Path

MANY = int(os.environ.get("MANY", "0"))
FIRST = max(1, MANY // 10)
_numbers = itertools.count(1)
_began = [0.0]


def handled() -> None:
    """One message more."""
    number = next(_numbers)
    if number == FIRST:
        _began[0] = time.perf_counter()
    if number == MANY:
        rate = (MANY - FIRST) / (time.perf_counter() - _began[0])
        whole = Path(os.environ["RESULT_FILE"])
        part = whole.with_suffix(".part")
        part.write_text(str(rate))
        part.rename(whole)
