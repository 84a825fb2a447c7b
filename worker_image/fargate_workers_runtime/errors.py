"""The exceptions that decide how a message ends, and those of a wrong environment or program."""

import math
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, cast

from fargate_workers_runtime.plain_values import delay_of, described, text_of


class PoisonMessage(Exception):  # noqa: N818  it names the message, not a fault of the program
    """A message that can never succeed: raised by a handler, it dead-letters the message without another attempt.

    Args:
        reason: One short phrase for the person who reads the dead letter, e.g. `"unknown currency"`. It is logged: keep
            the message's content out of it. An exception gives its type's name, and its text to `detail`.
        detail: More for the dead letter alone, as text or as anything that has one; it is not logged. Default: none.
    """

    reason: str = ""
    detail: str = ""

    def __init__(self, reason: object, *, detail: object = "") -> None:
        self.reason, more = _phrase(reason)
        self.detail = _text(detail) or more
        super().__init__(self.reason)


class Retry(Exception):  # noqa: N818  as above
    """A request for another attempt later. Any other exception has the same effect; this one is not logged as an error.

    Args:
        reason: One short phrase for the log. Default: none.
        after: How long to wait, as a timedelta or in seconds, 12 hours at most. Default: back-off from 2 s, doubled at
            each attempt, to at most 15 minutes; also for a value that is no length of time.
    """

    reason: str = ""
    after: timedelta | None = None

    def __init__(self, reason: object = "", *, after: timedelta | float | None = None) -> None:
        self.reason, _ = _phrase(reason)
        self.after = delay_of(after)
        super().__init__(self.reason)


class ClaimLost(Exception):  # noqa: N818  as above
    """The loss of a claim: another attempt has taken the key over, so `message.transact` wrote nothing.

    Let it pass. The lease ran out because the process stood still, or the store reported the loss. The message is not
    acknowledged.
    """


class HandlerRefused(TypeError):  # noqa: N818  as above
    """A handler that returns work that is not done: a fault of the program, for which no message is given up."""


#: Why a block of `message.effect_in` does not begin: the effect is done; another attempt is at it; the effect is done,
#: with another payload.
Refusal = Literal["done", "held", "reused"]


class EffectRefused(BaseException):
    """The end of an attempt at `message.effect_in`, caught by the runtime: no handler catches it by mistake.

    Args:
        why: Why the block does not begin.
    """

    def __init__(self, why: Refusal) -> None:
        self.why: Refusal = why
        super().__init__(why)


class FargateWorkersError(Exception):
    """A mistake in how the runtime is set up; the text is one sentence: what is wrong, where, and how to correct it."""


class SettingsError(FargateWorkersError, ValueError):
    """An environment variable is missing or wrong; the text is one sentence that names it."""


class EventError(FargateWorkersError, ValueError):
    """An event of a function that is none of its queue's; the text is one sentence with the reason."""


def with_plain_values(error: BaseException) -> BaseException:
    """`error` itself, or, if it is a PoisonMessage or Retry of which a subclass made something else, a plain one.

    A group in which every exception is a PoisonMessage, or each is a Retry, counts as its first.

    Args:
        error: What the handler raised.
    """
    said = _first(error)
    if isinstance(said, PoisonMessage):
        reason, detail = _attribute(said, "reason"), _attribute(said, "detail")
        if said is error and reason and type(reason) is type(detail) is str:
            return said
        return PoisonMessage(reason or type(said).__name__, detail=detail)
    if isinstance(said, Retry):
        reason, after = _attribute(said, "reason"), _attribute(said, "after", broken=math.nan)
        if said is error and type(reason) is str and (after is None or type(after) is timedelta):
            return said
        return Retry(reason, after=after)
    return said


def _first(error: BaseException) -> BaseException:
    """The first of a group of one kind, which is how a task group raises what its tasks raise; else `error`."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    inside = [_first(each) for each in group.exceptions]
    for kind in (PoisonMessage, Retry, ClaimLost, EffectRefused):
        if all(isinstance(each, kind) for each in inside):
            return inside[0]
    return group


def _phrase(value: object) -> tuple[str, str]:
    """A phrase that may be logged, and what must not be: the text of an exception, or of an object."""
    if isinstance(value, str | int | float | bytes | Enum):
        return text_of(value), ""
    if value is None:
        return "", ""
    name = value.__name__ if isinstance(value, type) else type(value).__name__
    return name, _text(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    return described(value) if isinstance(value, BaseException) else text_of(value)


def _attribute(error: BaseException, name: str, *, broken: Any = None) -> Any:
    try:
        return getattr(error, name)
    except Exception:
        return broken
