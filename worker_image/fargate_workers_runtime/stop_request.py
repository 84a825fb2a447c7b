"""The wish to stop, from a signal handler or another thread to the thread that waits for it."""

import queue


class StopRequest:
    """Waited for by the main thread, in which Python runs signal handlers."""

    def __init__(self) -> None:
        # SimpleQueue.put is safe in a signal handler; a lock there could wait for the very thread it interrupted.
        self._reasons: queue.SimpleQueue[str] = queue.SimpleQueue()

    def make(self, why: str) -> None:
        """Safe to call from a signal handler, and any number of times."""
        self._reasons.put(why)

    def wait(self) -> str:
        """Wait until somebody makes one; returns the reason.

        The system may hand a signal to any thread, but its Python handler runs in the main one, and not while that is
        blocked in a lock: so it wakes once a second.
        """
        while True:
            try:
                return self._reasons.get(timeout=1)
            except queue.Empty:
                continue
