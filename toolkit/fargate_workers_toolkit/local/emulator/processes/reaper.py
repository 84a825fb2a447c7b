"""Nothing survives the launcher: a tiny process that ends what is left when the launcher's end of a pipe closes.

A parent-death signal would not do: it fires when the *thread* that started a child ends, and only on Linux.
"""

import os
import signal
import subprocess
import sys
import threading


class Reaper:
    """Keeps a list of process groups in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", __file__], stdin=subprocess.PIPE, start_new_session=True
        )
        self._lock = threading.Lock()

    def watch(self, group: int) -> None:
        """End a process group with the launcher."""
        self._send(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Leave alone a process group that has ended; its number may be used again."""
        self._send(f"-{group}\n")

    def _send(self, line: str) -> None:
        with self._lock:
            if self._process.stdin is not None:
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    _main()
