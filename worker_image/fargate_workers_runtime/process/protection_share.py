"""One protection for a task of several processes: each that needs it holds a lock, and only the last takes it off."""

import fcntl
import os
from pathlib import Path

from fargate_workers_runtime.process.protection import Put


class SharedProtection:
    """`put`, for processes that share the file `path`; a process that dies releases its lock.

    A process that needs protection no more while another does leaves it on. The lock is held while the protection is
    taken off, so that a process which needs it meanwhile sends its request afterwards. The file is not empty while the
    task may be protected, so that the process which follows a dead one can take off what that one left on.
    """

    def __init__(self, put: Put, path: Path) -> None:
        self._put = put
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # A child that a handler forks must not hold what its dead parent held.
        os.register_at_fork(after_in_child=lambda: os.close(self._lock))

    @property
    def left_on(self) -> bool:
        """The task may be protected, for this process or another, dead or alive."""
        return os.fstat(self._lock).st_size > 0

    def __call__(self, wanted: bool, minutes: int) -> str | None:
        if wanted:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            os.ftruncate(self._lock, 1)
            return self._put(True, minutes)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            return None
        try:
            reason = self._put(False, minutes)
            if reason is None:
                os.ftruncate(self._lock, 0)
            return reason
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)
