"""One JSON object a line on standard output: the runtime's log, and every `logging.getLogger(...)` of the handlers.

Fields: `time`, `level`, `event` (a word to filter on), `worker`, and whatever belongs to the event; inside a handler
also `message_id` and `attempt`. Message bodies and credentials are never logged; an exception's text is, cut short.

Nothing waits for a log line. Lines that standard output does not take are dropped and counted: `log_lines_dropped`
says how many (`lines`) when it takes them again.
"""

import json
import logging
import os
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, TextIO

from fargate_workers_runtime.line_writer import LineWriter

_context: ContextVar[dict[str, Any]] = ContextVar("log_context", default={})  # noqa: B039  never mutated

_MAX_ERROR_TEXT = 300
_FRAMES = 5

#: How long an exit waits for the last lines, in seconds: they are few, unless nobody reads them.
FLUSH_SECONDS = 2.0


class JsonLines(logging.Formatter):
    """Formats a record, and the fields in its `fields` attribute, as one line of JSON."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker
        self._encode = json.JSONEncoder(default=str).encode

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
        return self._encode(line)


class LineHandler(logging.Handler):
    """Hands each record to a thread that writes it."""

    def __init__(self, worker: str, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(JsonLines(worker))
        self.writer = LineWriter(
            stream, lost=lambda lines: self._line("WARNING", "log_lines_dropped", {"lines": lines})
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:
            # Say where, on the same road: Python's own complaint goes to standard error, which may be as full.
            where = f"{record.pathname}:{record.lineno}"
            line = self._line("ERROR", "log_line_failed", {"error": type(error).__name__, "where": where})
        self.writer.put(line)

    def flush(self) -> None:
        self.writer.flush(FLUSH_SECONDS)

    def close(self) -> None:
        self.writer.close()
        super().close()

    def _line(self, level: str, event: str, fields: dict[str, Any]) -> str:
        return self.format(logging.makeLogRecord({"levelname": level, "msg": event, "fields": fields}))


@contextmanager
def log_context(**fields: Any) -> Generator[None]:
    """Add `fields` to every line logged inside, in this thread."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def configure(worker: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything that is logged to standard output, as JSON lines. What is left at exit is flushed."""
    logging.basicConfig(level=level, handlers=[LineHandler(worker, stream or sys.stdout)], force=True)
    # Both print requests with their payload at DEBUG.
    for chatty in ("botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def write(line: str) -> None:
    """One finished line, by the road of the log; straight to standard output if `configure` was not called."""
    handlers = _handlers()
    for handler in handlers:
        handler.writer.put(line)
    if not handlers:
        print(line, flush=True)  # noqa: T201


def flush(timeout: float = FLUSH_SECONDS) -> bool:
    """Wait until everything logged so far is written; False if that takes longer than `timeout` seconds."""
    return all(handler.writer.flush(timeout) for handler in _handlers())


def _handlers() -> list[LineHandler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, LineHandler)]


def _restart() -> None:
    for handler in _handlers():
        handler.writer.restart()


os.register_at_fork(after_in_child=_restart)


def _error(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return {
        "error": type(error).__name__,
        "text": str(error)[:_MAX_ERROR_TEXT],
        "where": [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames],
    }
