"""One JSON object a line on standard output: the runtime's log, and every `logging.getLogger(...)` of the handlers.

Fields: `time`, `level`, `event` (a word to filter on), `worker`, and whatever belongs to the event; inside a handler
also `message_id`, `attempt` and the message's others. Message bodies and credentials are never logged, nor what may
quote them: an exception is its type and where it was raised, and its text only if LOG_EXCEPTION_TEXT is set.

Nothing waits for a log line. Lines that standard output does not take are dropped and counted: `log_lines_dropped`
reports how many (`lines`) when it takes them again.
"""

import json
import logging
import os
import sys
from collections.abc import Callable, Generator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Self, TextIO, TypeVar, cast

from fargate_workers_runtime.plain_values import text_of
from fargate_workers_runtime.telemetry.exception_fields import exception_fields
from fargate_workers_runtime.telemetry.line_writer import LineWriter

Awaited = TypeVar("Awaited")
Result = TypeVar("Result")

_context: "ContextVar[log_context | None]" = ContextVar("log_context", default=None)

#: The attributes that every record has, formatters add, or this module reads by name. Any other came by `extra=`.
_NOT_EXTRA = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "fields"}

_encode = json.JSONEncoder(default=text_of, allow_nan=False).encode

#: How long an exit waits for the last lines, in seconds: they are few, unless the stream is not read.
FLUSH_SECONDS = 2.0


class JsonLines(logging.Formatter):
    """The format of a record, with the fields in its `fields` attribute and in `extra=`: one line of JSON."""

    def __init__(self, worker: str) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": _event(record),
            "worker": self._worker,
        }
        given: Any = getattr(record, "fields", {})
        fields = cast("dict[str, Any]", given) if isinstance(given, dict) else {"fields": given}
        context = _context.get()
        around = context.fields if context else {}
        line |= {f"extra_{name}" if name in line else name: value for name, value in (around | fields).items()}
        if record.exc_info and record.exc_info[1]:
            line |= exception_fields(record.exc_info[1])
        # A field of `extra=` never replaces one of the runtime.
        extra = {name: value for name, value in vars(record).items() if name not in _NOT_EXTRA}
        line |= {f"extra_{name}" if name in line else name: value for name, value in extra.items()}
        return _encoded(line)


class LineHandler(logging.Handler):
    """The handler of log records: it passes each to a thread that writes it."""

    def __init__(self, worker: str, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(JsonLines(worker))
        self.writer: LineWriter = LineWriter(
            stream, lost=lambda lines: self._line("WARNING", "log_lines_dropped", {"lines": lines})
        )

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            # Logged to the same stream: Python's own report goes to standard error, which may be as full.
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


class log_context:  # noqa: N801  called like a function; a generator takes twice the time, twice a message
    """Add `fields`, and those that `make` returns, to every line logged inside, in this thread.

    `make` is called for each line, because most messages log none.
    """

    __slots__ = ("_fields", "_make", "_outer", "_token")

    def __init__(self, make: Callable[[], dict[str, Any]] | None = None, /, **fields: Any) -> None:
        self._make = make
        self._fields = fields

    def __enter__(self) -> Self:
        self._outer = _context.get()
        self._token = _context.set(self)
        return self

    def add(self, **fields: Any) -> None:
        """Add more fields, until the end of the block."""
        self._fields.update(fields)

    def left_while_waiting(self, steps: Generator[Awaited, None, Result]) -> Generator[Awaited, None, Result]:
        """`steps`, taken inside this block, which is left while they wait: another thread may go on with them."""
        while True:
            try:
                awaited = next(steps)
            except StopIteration as end:
                return end.value
            self.__exit__()
            try:
                yield awaited
            finally:
                self.__enter__()

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of this block and of those around it."""
        around = self._outer.fields if self._outer else {}
        made = self._make() if self._make else {}
        return {**around, **made, **self._fields}

    def __exit__(self, *_: object) -> None:
        _context.reset(self._token)


def configure(worker: str, *, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything that is logged to standard output, as JSON lines. What is left at exit is flushed."""
    logging.basicConfig(level=level, handlers=[LineHandler(worker, stream or sys.stdout)], force=True)
    # They print requests with their payload at DEBUG.
    for chatty in ("aiobotocore", "boto3", "botocore", "httpcore", "s3transfer", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def write(line: str) -> None:
    """Write one finished line through the log; directly to standard output if `configure` was not called."""
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


def _in_child() -> None:
    for handler in _handlers():
        handler.writer.write_at_once()


os.register_at_fork(after_in_child=_in_child)


def _event(record: logging.LogRecord) -> str:
    # asyncio's second line quotes the exception, and with it whatever a message contains.
    return record.getMessage().partition("\n")[0] if record.name == "asyncio" else record.getMessage()


def _encoded(line: dict[str, Any]) -> str:
    try:
        return _encode(line)
    except Exception:
        # Something in a value is no JSON and has no text, or is not a number, or contains itself.
        return _encode({text_of(name): _as_json(value) for name, value in line.items()})


def _as_json(value: Any) -> Any:
    try:
        _encode(value)
    except Exception:
        return text_of(value)
    return value
