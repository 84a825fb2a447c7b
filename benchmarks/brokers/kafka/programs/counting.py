"""The handler that does nothing but count; it prints the rate and ends the process at the last message."""

import os
import signal
import time
from typing import Any


class Counting:
    """Counts messages up to MESSAGES.

    The first fiftieth is not timed: by then every part of the program has run once.
    """

    def __init__(self) -> None:
        self._many = int(os.environ["MESSAGES"])
        self._warm = self._many // 50
        self._count = 0
        self._began = self._used = 0.0

    def __call__(self, _body: Any) -> None:
        self._count += 1
        if self._count == self._warm:
            self._began, self._used = time.perf_counter(), time.process_time()
        elif self._count == self._many:
            seconds = time.perf_counter() - self._began
            used, many = time.process_time() - self._used, self._many - self._warm
            print(f"rate {many / seconds:.1f} {used / many * 1000:.4f}", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
