"""The request of a redrive, checked. Pure: an event in, a request or one clear sentence out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from fargate_workers_redrive.where import Filter, FilterError

Action = Literal["start", "status", "cancel"]

ACTIONS = ("start", "status", "cancel")
FIELDS = ("action", "queue", "messages_per_second", "where")
MAX_MESSAGES_PER_SECOND = 500  # SQS's own limit


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """A request that cannot be granted; the message gives the reason in one sentence."""


@dataclass(frozen=True)
class Queue:
    """A queue and its dead-letter queue.

    Args:
        name: The name of the queue's worker.
        arn: The ARN of the queue.
        dead_letter_queue_arn: The ARN of its dead-letter queue.
    """

    name: str
    arn: str
    dead_letter_queue_arn: str


@dataclass(frozen=True)
class Request:
    """A request that is understood.

    Args:
        action: "start", "status" or "cancel".
        queue: The queue.
        messages_per_second: The rate of a redrive.
        where: The filter that chooses letters. None: all of them, by SQS itself.
    """

    action: Action
    queue: Queue
    messages_per_second: int
    where: Filter | None = None


def parse(event: object, queues: Mapping[str, Queue], *, messages_per_second: int) -> Request:
    """The request of an event.

    Args:
        event: The event: an object with an action, and with a queue where there are several.
        queues: The queues by their workers' names.
        messages_per_second: The rate when the event names none.

    Raises:
        Refused: The event is no request; the message gives the reason in one sentence.
    """
    if not isinstance(event, Mapping):
        raise Refused('The event is no object; send {"action": "start"}, "status" or "cancel".')
    fields = cast("Mapping[str, object]", event)
    if unknown := sorted(set(fields) - set(FIELDS)):
        raise Refused(f"The event has an unknown field {unknown[0]!r}; use {', '.join(FIELDS)}.")
    action = fields.get("action")
    if action not in ACTIONS:
        raise Refused(f"The action {action!r} is unknown; use one of {', '.join(ACTIONS)}.")
    rate = fields.get("messages_per_second", messages_per_second)
    if type(rate) is not int or not 1 <= rate <= MAX_MESSAGES_PER_SECOND:
        raise Refused(f"messages_per_second is {rate!r}; use a whole number from 1 to {MAX_MESSAGES_PER_SECOND}.")
    where = _filter(fields.get("where"))
    if where is not None and action != "start":
        raise Refused(f'A filter belongs to "start"; leave `where` out of {action!r}.')
    return Request(action, _queue(fields.get("queue"), queues), rate, where)


def _filter(text: object) -> Filter | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise Refused(f"where is {text!r}; write a filter, such as 'reason == \"schema*\"'.")
    try:
        return Filter.parse(text)
    except FilterError as error:
        raise Refused(f"where, {error}") from error


def _queue(name: object, queues: Mapping[str, Queue]) -> Queue:
    known = ", ".join(sorted(queues))
    if name is None:
        if len(queues) == 1:
            return next(iter(queues.values()))
        raise Refused(f"The event names no queue; add one of {known}.")
    if not isinstance(name, str) or name not in queues:
        raise Refused(f"The queue {name!r} is unknown; use one of {known}.")
    return queues[name]
