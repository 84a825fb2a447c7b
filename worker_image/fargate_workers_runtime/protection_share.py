"""One protection for a task of several processes: whoever is busy holds a lock, and only the last takes it off."""

import fcntl
import os
from pathlib import Path

from fargate_workers_runtime.protection import Put


def shared(put: Put, path: Path) -> Put:
    """`put`, for processes that share the file `path`; a process that dies lets go of it.

    A process that becomes idle while another is busy leaves the protection on. The lock is held while the agent is told
    that all are idle, so that whoever becomes busy meanwhile tells it afterwards.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def put_shared(busy: bool, minutes: int) -> str | None:
        if busy:
            fcntl.flock(lock, fcntl.LOCK_SH)
            return put(True, minutes)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_UN)
            return None
        try:
            return put(False, minutes)
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    return put_shared
