"""The lines of a worker's log, across its tasks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from fargate_workers_toolkit.operations.clock import Clock
from fargate_workers_toolkit.operations.errors import answered
from fargate_workers_toolkit.operations.places import Aws

#: CloudWatch Logs answers five FilterLogEvents a second in an account.
_LOOK_EVERY = 2.0
#: Lines may become visible later than their time says.
_OVERLAP = 15.0

LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line.

    Args:
        at: When it was written, in seconds since 1970.
        task: The id of its task.
        level: Its level; `info` where it has none.
        event: What happened, or the whole line where it is no JSON.
        fields: What belongs to it.
    """

    at: float
    task: str
    level: str
    event: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which lines are wanted.

    Args:
        since: From when on, in seconds since 1970.
        texts: Texts of which they contain one. Defaults to any.
        level: The lowest level. Defaults to all.
    """

    since: float
    texts: tuple[str, ...] = ()
    level: str = "debug"

    def takes(self, line: LogLine) -> bool:
        """Whether a line is wanted.

        Args:
            line: The line.
        """
        return line.level not in LEVELS or LEVELS.index(line.level) >= LEVELS.index(self.level)


def log_lines(aws: Aws, group: str, wanted: Wanted) -> Iterator[LogLine]:
    """Read the lines that are there, oldest first, without those that carry metrics.

    Args:
        aws: The worker's AWS.
        group: The name of its log group.
        wanted: Which lines.

    Raises:
        OperationsError: AWS refuses.
    """
    for _, line in _events(aws, group, wanted, since=wanted.since):
        yield line


def follow_lines(aws: Aws, group: str, wanted: Wanted, *, clock: Clock) -> Iterator[LogLine]:
    """Read lines, and go on with those that come, until the iterator is closed.

    Args:
        aws: The worker's AWS.
        group: The name of its log group.
        wanted: Which lines.
        clock: The time.

    Raises:
        OperationsError: AWS refuses.
    """
    seen: dict[str, float] = {}
    newest = since = wanted.since
    while True:
        for id, line in _events(aws, group, wanted, since=since):  # noqa: A001
            if id not in seen:
                seen[id] = line.at
                newest = max(newest, line.at)
                yield line
        since = max(wanted.since, newest - _OVERLAP)
        seen = {event: at for event, at in seen.items() if at >= since}
        clock.sleep(_LOOK_EVERY)


def _events(aws: Aws, group: str, wanted: Wanted, *, since: float) -> Iterator[tuple[str, LogLine]]:
    if len(wanted.texts) < 2:
        yield from _with_text(aws, group, wanted, "".join(wanted.texts), since=since)
        return
    found: dict[str, LogLine] = {}
    for text in wanted.texts:
        found.update(_with_text(aws, group, wanted, text, since=since))
    yield from sorted(found.items(), key=lambda each: each[1].at)


def _with_text(aws: Aws, group: str, wanted: Wanted, text: str, *, since: float) -> Iterator[tuple[str, LogLine]]:
    request: dict[str, Any] = {"logGroupName": group, "startTime": int(since * 1_000)}
    if text:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        request["filterPattern"] = f'"{quoted}"'
    with answered(sign_in=aws.place.sign_in):
        for page in aws.client("logs").get_paginator("filter_log_events").paginate(**request):
            for event in page["events"]:
                line = _line(event)
                # By ourselves as well: a pattern finds words, and the text may be a part of one.
                if line is not None and wanted.takes(line) and text in event["message"]:
                    yield event["eventId"], line


def _line(event: Mapping[str, Any]) -> LogLine | None:
    """The line of an event; None for one that carries metrics."""
    message: str = event["message"]
    # Of a function, its version comes before it, in brackets.
    task = event.get("logStreamName", "").rpartition("/")[2].rpartition("]")[2]
    at = event["timestamp"] / 1_000
    try:
        value: object = json.loads(message)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return LogLine(at=at, task=task, level="info", event=message.expandtabs(1).rstrip())
    fields = cast("dict[str, Any]", value)
    if "_aws" in fields:
        return None
    rest = {name: each for name, each in fields.items() if name not in ("time", "level", "event", "worker")}
    return LogLine(
        at=at, task=task, level=str(fields.get("level", "info")), event=str(fields.get("event", "")), fields=rest
    )
