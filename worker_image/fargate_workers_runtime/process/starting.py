"""The start of a process: logs on, and every error that prevents the start in the log, with an exit code."""

import logging
import os
from collections.abc import Generator, MutableMapping
from contextlib import contextmanager

from fargate_workers_runtime.errors import HandlerRefused, SettingsError
from fargate_workers_runtime.extras import MissingExtra
from fargate_workers_runtime.plain_values import text_of
from fargate_workers_runtime.process.ending import end
from fargate_workers_runtime.settings import choice
from fargate_workers_runtime.telemetry import exception_fields, log_what_nobody_catches, logs

_log = logging.getLogger(__name__)

#: The same mistake will be there at the next start; any other failure may not be.
EXIT_WRONG, EXIT_FAILED = 2, 1

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@contextmanager
def starting() -> Generator[None]:
    """Read settings and build clients inside. A permanent error ends the process with 2 and its sentence.

    Anything else that fails ends it with 1.

    Environment: WORKER_NAME for the log, LOG_LEVEL (default INFO), LOG_EXCEPTION_TEXT (default false), AWS_REGION or
    AWS_DEFAULT_REGION.
    """
    _begin_log()
    try:
        _log_as_asked()
        know_region(os.environ)
        yield
    except (SettingsError, MissingExtra) as error:
        _log.error("settings: %s", error)
        end(EXIT_WRONG)
    except HandlerRefused as error:
        _log.error("handler_refused: %s", error)
        end(EXIT_WRONG)
    except Exception as error:
        # No message has been received, so that none can be in the text.
        _log.exception("start_failed", extra={"fields": {"text": text_of(error)}})
        end(EXIT_FAILED)


def begin_log() -> None:
    """Switch the log on, where something else than `starting` ends the process.

    Environment: as for `starting`.

    Raises:
        SettingsError: A variable of the log's is wrong.
    """
    _begin_log()
    _log_as_asked()
    know_region(os.environ)


def _begin_log() -> None:
    logs.configure(os.environ.get("WORKER_NAME") or "worker")
    log_what_nobody_catches()


def _log_as_asked() -> None:
    level = {**os.environ, "LOG_LEVEL": (os.environ.get("LOG_LEVEL") or "INFO").upper()}
    logging.getLogger().setLevel(choice(level, "LOG_LEVEL", "INFO", _LEVELS))
    exception_fields.with_text = choice(os.environ, "LOG_EXCEPTION_TEXT", "false", ("true", "false")) == "true"


def know_region(environment: MutableMapping[str, str]) -> None:
    """Set the one of AWS_REGION and AWS_DEFAULT_REGION that is not: Fargate sets both, boto3 reads the second alone."""
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if region and not environment.get(name):
            environment[name] = region
