"""The request to stop, from a signal handler or another thread to the thread that waits for it."""

import queue


class StopRequest:
    """A request to stop, for which the main thread waits: Python runs signal handlers in it.

    Attributes:
        made: It has been made.
    """

    def __init__(self) -> None:
        # SimpleQueue.put is safe in a signal handler; a lock there could wait for the very thread it interrupted.
        self._reasons: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.made: bool = False

    def make(self, why: str) -> None:
        """Request the stop; safe to call from a signal handler, and any number of times."""
        self.made = True
        self._reasons.put(why)

    def wait(self) -> str:
        """Wait until a request is made; returns its reason.

        The system may deliver a signal to any thread, but its Python handler runs in the main one, and not while that
        is blocked in a lock: so it wakes once a second.
        """
        while True:
            try:
                return self._reasons.get(timeout=1)
            except queue.Empty:
                continue
