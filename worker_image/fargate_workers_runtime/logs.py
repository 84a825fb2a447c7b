"""One JSON object a line on standard output: the runtime's log, and every `logging.getLogger(...)` of the handlers.

Fields: `time`, `level`, `event` (a word to filter on), `worker`, and whatever belongs to the event; inside a handler
also `message_id` and `attempt`. Message bodies and credentials are never logged; an exception's text is, cut short.
"""

import json
import logging
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

_context: ContextVar[dict[str, Any]] = ContextVar("log_context", default={})  # noqa: B039  never mutated

_MAX_ERROR_TEXT = 300
_FRAMES = 5


class JsonLines(logging.Formatter):
    """Formats a record, and the fields in its `fields` attribute, as one line of JSON."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "worker": self._worker,
            **_context.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1]:
            line |= _error(record.exc_info[1])
        return json.dumps(line, default=str)


@contextmanager
def log_context(**fields: Any) -> Generator[None]:
    """Add `fields` to every line logged inside, in this thread."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def configure(worker: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything that is logged to standard output, as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines(worker))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Both print requests with their payload at DEBUG.
    for chatty in ("botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _error(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return {
        "error": type(error).__name__,
        "text": str(error)[:_MAX_ERROR_TEXT],
        "where": [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames],
    }
