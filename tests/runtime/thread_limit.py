"""A machine that has no room for another thread."""

import threading

import pytest


class ThreadLimit:
    """No thread of this name is to be had, until `end`.

    Attributes:
        refused: How many were asked for in vain.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.refused = 0
        self._name = name
        self._lasts = True
        start = threading.Thread.start

        def start_or_refuse(thread: threading.Thread) -> None:
            if self._lasts and thread.name.startswith(self._name):
                self.refused += 1
                raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_or_refuse)

    def end(self) -> None:
        """From now on there is room again."""
        self._lasts = False
