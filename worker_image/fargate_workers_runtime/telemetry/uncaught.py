"""What Python prints by itself, past the log and with the text of exceptions, as lines of the log."""

import logging
import sys
import threading
import warnings
from typing import Any

from fargate_workers_runtime.plain_values import text_of
from fargate_workers_runtime.telemetry.exception_fields import exception_fields

_log = logging.getLogger(__name__)


def log_what_nobody_catches() -> None:
    """From now on, log exceptions that end the program or a thread, those that Python ignores, and warnings.

    A hook that somebody has set, an error tracker for example, stays.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _crashed
    if sys.unraisablehook is sys.__unraisablehook__:
        sys.unraisablehook = _ignored
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_failed
    warnings.showwarning = _warn


def _crashed(_type: type[BaseException], error: BaseException, _trace: object) -> None:
    _log.critical("crashed", exc_info=error)


def _ignored(unraisable: "sys.UnraisableHookArgs") -> None:
    _log.error("exception_ignored", exc_info=unraisable.exc_value)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit:
        fields = {"thread": failed.thread.name if failed.thread else ""}
        _log.error("thread_failed", exc_info=failed.exc_value, extra={"fields": fields})


def _warn(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
    fields = {"category": category.__name__, "where": f"{filename}:{lineno}"}
    if exception_fields.with_text:
        fields["text"] = text_of(message)
    _log.warning("warning", extra={"fields": fields})
