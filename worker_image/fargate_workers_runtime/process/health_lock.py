"""One worker for each health file: of two, a live one would hide that the other hangs."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from fargate_workers_runtime.errors import SettingsError


def hold(health_file: Path) -> None:
    """Hold the file until this process ends, however it does.

    Raises:
        SettingsError: Another process holds it: two containers of a task share the folder.
    """
    with suppress(OSError):  # a folder that cannot be written: the health check reports it
        lock = os.open(health_file.with_name(f"{health_file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.register_at_fork(after_in_child=lambda: os.close(lock))  # what a handler forks may live longer
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"Another worker of this task uses HEALTH_FILE {health_file}; "
                "give each container a HEALTH_FILE, or a /tmp, of its own."
            ) from None
