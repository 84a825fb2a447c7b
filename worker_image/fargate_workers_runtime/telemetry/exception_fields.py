"""The fields of an exception in a log line: where it comes from, and none of the values on its way."""

import errno
import traceback
from collections.abc import Iterator
from typing import Any, cast

from fargate_workers_runtime.plain_values import text_of

_MAX_TEXT = 300
_FRAMES = 5

#: Exceptions logged with another one: those that it was raised from, or that a group holds.
_RELATED = 5


class _ExceptionFields:
    """The fields, as a function of the exception.

    Attributes:
        with_text: Whether they include its text, which often quotes the very value that broke. Default: no.
    """

    with_text = False

    def __call__(self, error: BaseException) -> dict[str, Any]:
        fields = self._one(error)
        causes = [self._one(cause) for cause in _causes(error)]
        if causes:
            fields["causes"] = causes
        return fields

    def _one(self, error: BaseException) -> dict[str, Any]:
        kind = type(error)
        fields: dict[str, Any] = {"error": kind.__name__}
        if kind.__module__ != "builtins":
            fields["module"] = kind.__module__
        if code := _code(error):
            fields["code"] = code
        if self.with_text:
            fields["text"] = text_of(error)[:_MAX_TEXT]
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        fields["where"] = [f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)
            fields["errors"] = [self(each) for each in group.exceptions[:_RELATED]]
        return fields


exception_fields: _ExceptionFields = _ExceptionFields()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What `error` was raised from, or while handling it, back to the first, as in a traceback."""
    seen = {id(error)}
    for _ in range(_RELATED):
        cause = error.__cause__
        if cause is None and not error.__suppress_context__:
            cause = error.__context__
        if cause is None or id(cause) in seen:
            return
        seen.add(id(cause))
        yield cause
        error = cause


def _code(error: BaseException) -> str | None:
    """A word for what failed that quotes no value: the code of an AWS error, the name of a system error."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        told = cast("dict[str, Any]", response).get("Error")
        code = cast("dict[str, Any]", told).get("Code") if isinstance(told, dict) else None
        return code if isinstance(code, str) else None
    number = getattr(error, "errno", None) if isinstance(error, OSError) else None
    return errno.errorcode.get(number) if isinstance(number, int) else None
