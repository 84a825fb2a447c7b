"""The first lines of a process: logs on, and a wrong environment answered with one sentence and exit code 2."""

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

from fargate_workers_runtime import logs
from fargate_workers_runtime.errors import SettingsError

_log = logging.getLogger(__name__)

#: The same mistake will be there at the next start.
EXIT_SETTINGS = 2


@contextmanager
def starting() -> Generator[None]:
    """Read settings and build clients inside; a SettingsError ends the process with 2 and its sentence.

    Environment: WORKER_NAME for the log, LOG_LEVEL (default INFO).
    """
    logs.configure(os.environ.get("WORKER_NAME") or "worker", level=os.environ.get("LOG_LEVEL") or "INFO")
    try:
        yield
    except SettingsError as error:
        _log.error("settings: %s", error)
        sys.exit(EXIT_SETTINGS)
