"""A pause, as tags on the paused service or function remember it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from fargate_workers_planner.pauses import moment, overdue_seconds
from fargate_workers_toolkit.operations import tags
from fargate_workers_toolkit.operations.workers import FunctionState, Scaling, ServiceState

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html
_LONGEST_VALUE = 256
_REFUSED = re.compile(r"[^\w +\-=.:/@]")

NAMES = (tags.PAUSED_BY, tags.PAUSED_WHY, tags.PAUSED_AT, tags.PAUSED_UNTIL, tags.PAUSED_BOUNDS)


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Who paused a worker, and why.

    Args:
        by: Who.
        why: Why.
        at: Since when, in seconds since 1970.
        until: Until when it is meant to last. None: until somebody resumes it. It ends by itself never.
    """

    by: str
    why: str
    at: float
    until: float | None

    def is_overdue(self, *, now: float) -> bool:
        """Whether it lasts longer than it was meant to, or than a day where it has no end.

        Args:
            now: Seconds since 1970.
        """
        return bool(overdue_seconds(self.as_tags(), now=now))

    def as_tags(self) -> dict[str, str]:
        """The tags that remember it."""
        values = {tags.PAUSED_BY: self.by, tags.PAUSED_WHY: self.why, tags.PAUSED_AT: _written(self.at)}
        if self.until is not None:
            values[tags.PAUSED_UNTIL] = _written(self.until)
        return {name: _REFUSED.sub(" ", value)[:_LONGEST_VALUE] for name, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class ServicePause(Pause):
    """The pause of a service, and what a resume restores.

    Args:
        by: Who.
        why: Why.
        at: Since when, in seconds since 1970.
        until: Until when it is meant to last. None: until somebody resumes it.
        min_tasks: Tasks that ran always, before.
        max_tasks: Tasks that might run at most, before.
        desired: Tasks that were wanted, before.
    """

    min_tasks: int
    max_tasks: int
    desired: int

    def as_tags(self) -> dict[str, str]:
        """The tags that remember it."""
        return {**super().as_tags(), tags.PAUSED_BOUNDS: f"{self.min_tasks} {self.max_tasks} {self.desired}"}


def pause_of(found: Mapping[str, str]) -> ServicePause | None:
    """The pause that the tags of a service remember; None where there is none.

    Args:
        found: The tags of a service.
    """
    bounds = re.fullmatch(r"(\d+) (\d+) (\d+)", found.get(tags.PAUSED_BOUNDS, ""))
    if bounds is None:
        return None
    least, most, desired = map(int, bounds.groups())
    return ServicePause(**vars(_remembered(found)), min_tasks=least, max_tasks=most, desired=desired)


def function_pause_of(found: Mapping[str, str]) -> Pause | None:
    """The pause that the tags of a function remember; None where there is none.

    Args:
        found: The tags of a function.
    """
    return _remembered(found) if tags.PAUSED_AT in found else None


def changed_since(pause: Pause, scaling: Scaling, service: ServiceState, *, kinds: int) -> list[str]:
    """What has changed a paused worker: a deployment, or a person.

    Args:
        pause: The pause.
        scaling: Its scalable target, now.
        service: Its service, now.
        kinds: How many kinds of scaling a pause suspends.

    Returns:
        Sentences; none while the pause holds.
    """
    changes: list[str] = []
    if (scaling.min_tasks, scaling.max_tasks) != (0, 0):
        changes.append(
            f"its bounds are {scaling.min_tasks} to {scaling.max_tasks} again: a deployment has set them since"
        )
    if len(scaling.suspended) < kinds:
        changes.append("its scaling is no longer suspended")
    if service.desired:
        changes.append(f"{service.desired} tasks are wanted again")
    if service.deployed_at > pause.at:
        changes.append("it was deployed since")
    return changes


def function_changed_since(pause: Pause, function: FunctionState) -> list[str]:
    """What has changed a paused function: a deployment, or a person.

    Args:
        pause: The pause.
        function: The function, now.

    Returns:
        Sentences; none while the pause holds.
    """
    changes: list[str] = []
    if not function.mapping:
        changes.append("its event source mapping is gone")
    elif function.is_enabled:
        changes.append("its event source mapping is enabled again")
    if function.updated_at > pause.at:
        changes.append("it was deployed since")
    return changes


def _remembered(found: Mapping[str, str]) -> Pause:
    return Pause(
        by=found.get(tags.PAUSED_BY, "somebody"),
        why=found.get(tags.PAUSED_WHY, ""),
        at=moment(found.get(tags.PAUSED_AT)) or 0.0,
        until=moment(found.get(tags.PAUSED_UNTIL)),
    )


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
