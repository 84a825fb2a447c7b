"""What Lambda bills of a function: invocations, and seconds of each. Pure arithmetic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fargate_workers_toolkit.simulation.loads import Load
from fargate_workers_toolkit.simulation.model import FunctionUse
from fargate_workers_toolkit.simulation.track import Minutes

#: Polls a second of an event source mapping that does not wait: five pollers, ten a second each.
POLLS_A_SECOND = 50.0


@dataclass(frozen=True, kw_only=True)
class Invocations:
    """Invocations whose batches hold so many messages.

    Args:
        number: How many.
        messages: Messages of each.
    """

    number: float
    messages: float


@dataclass(frozen=True, kw_only=True)
class Billed:
    """What is billed.

    Args:
        invocations: How many.
        seconds: The seconds of all of them.
    """

    invocations: float
    seconds: float


def invocations(load: Load, minutes: Minutes, use: FunctionUse) -> list[Invocations]:
    """The invocations of each minute's messages: full batches while messages wait, else what a poll finds.

    Args:
        load: The messages.
        minutes: What waited at the end of each minute.
        use: How Lambda invokes the function.
    """
    found: list[Invocations] = []
    every = load.sent
    for minute, waiting in enumerate(minutes.visible):
        sent = float(every[60 * minute : 60 * (minute + 1)].sum())
        before = minutes.visible[minute - 1] if minute else 0.0
        rush = max(waiting, before) >= 1
        messages = float(use.batch_size) if rush else min(use.batch_size, max(1.0, sent / 60 / POLLS_A_SECOND))
        if sent:
            found.append(Invocations(number=sent / messages, messages=messages))
    return found


def billed(invoked: Sequence[Invocations], *, work_seconds: float, side_by_side: int) -> Billed:
    """What is billed of invocations.

    Args:
        invoked: The invocations.
        work_seconds: The mean time that a message takes a handler.
        side_by_side: Messages that an invocation handles at once.
    """
    return Billed(
        invocations=sum(each.number for each in invoked),
        seconds=sum(each.number * math.ceil(each.messages / side_by_side) * work_seconds for each in invoked),
    )
