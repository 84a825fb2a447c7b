"""A lock on a workspace: one command at a time changes what runs there."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.workspace import Workspace


@contextmanager
def exclusive_use(workspace: Workspace) -> Generator[None]:
    """Hold a workspace while the block runs. The kernel releases it with the process, however that ends.

    Args:
        workspace: The workspace.

    Raises:
        LocalError: Another process holds it.
    """
    workspace.prepare()
    with workspace.lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise LocalError(
                f"Another local run is at work here (process {file.read().strip() or 'unknown'}); "
                "wait until it ends, or stop it with Ctrl-C in its terminal."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
