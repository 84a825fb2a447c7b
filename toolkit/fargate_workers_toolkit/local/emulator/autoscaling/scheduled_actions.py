"""Scheduled actions of Application Auto Scaling: other bounds for a service at a time, in minutes of the clock."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fargate_workers_toolkit.aws_behaviour import Schedule
from fargate_workers_toolkit.local.emulator.autoscaling.acting import AutoScaling
from fargate_workers_toolkit.local.emulator.autoscaling.api import SCHEDULED, ScalingRegistry
from fargate_workers_toolkit.local.emulator.clock import Clock


class ScheduledActions:
    """Applies the actions that were due in a minute when it has ended.

    Args:
        clock: The clock of the embedded AWS.
        registry: Knows the actions and the bounds.
        scaling: Brings services within their bounds.
    """

    def __init__(self, clock: Clock, registry: ScalingRegistry, scaling: AutoScaling) -> None:
        self._clock = clock
        self._registry = registry
        self._scaling = scaling

    def apply(self) -> None:
        """Apply what was due in the minute before the one that runs."""
        end = self._clock.started + 60.0 * self._clock.minute
        for target, actions in list(self._registry.scheduled.items()):
            if self._registry.suspended(target, SCHEDULED):
                continue
            for name, action in list(actions.items()):
                if self._is_due(action, end - 60, end):
                    self._registry.rebound(target, action["ScalableTargetAction"])
                    self._scaling.keep_within_bounds(target, cause=f"scheduled action name {name} was triggered")

    def _is_due(self, action: Mapping[str, Any], begin: float, end: float) -> bool:
        created = self._clock.virtual(action["CreationTime"])
        expression = action["Schedule"]
        # A rate counts from when the action was made, unless it has a start.
        origin = created if expression.startswith("rate") else None
        start = _moment(action.get("StartTime"))
        schedule = Schedule(
            expression=expression,
            timezone=action.get("Timezone", "UTC"),
            start=origin if start is None else start,
            end=_moment(action.get("EndTime")),
        )
        return any(moment > created for moment in schedule.moments(begin, end))


def _moment(value: object) -> float | None:
    """Seconds since 1970, as the API has them, of what a template has in ISO 8601."""
    if value is None or isinstance(value, int | float):
        return value
    moment = datetime.fromisoformat(str(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
