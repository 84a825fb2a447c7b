"""The first lines of a process: logs on, and whatever keeps it from starting said in the log, with an exit code."""

import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager

from fargate_workers_runtime import logs
from fargate_workers_runtime.errors import SettingsError

_log = logging.getLogger(__name__)

#: The same mistake will be there at the next start; any other failure may not be.
EXIT_SETTINGS, EXIT_FAILED = 2, 1


@contextmanager
def starting() -> Generator[None]:
    """Read settings and build clients inside. A SettingsError ends the process with 2 and its sentence, others with 1.

    Environment: WORKER_NAME for the log, LOG_LEVEL (default INFO).
    """
    logs.configure(os.environ.get("WORKER_NAME") or "worker", level=os.environ.get("LOG_LEVEL") or "INFO")
    try:
        yield
    except SettingsError as error:
        _log.error("settings: %s", error)
        sys.exit(EXIT_SETTINGS)
    except Exception:
        _log.exception("start_failed")
        sys.exit(EXIT_FAILED)
