"""Scheduled actions of a scalable target: new bounds at a time of the day, of the week or once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fargate_workers_toolkit.aws_behaviour import Schedule, ScheduleError
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.model import ScheduledAction


def scheduled_actions(definitions: Sequence[Mapping[str, Any]], *, where: str) -> list[ScheduledAction]:
    """The scheduled actions of a service.

    Args:
        definitions: The actions in CloudFormation's form.
        where: The place in the template, for errors.

    Raises:
        SimulationError: AWS refuses a schedule.
    """
    return [_action(definition, where) for definition in definitions]


def _action(definition: Mapping[str, Any], where: str) -> ScheduledAction:
    bounds: Mapping[str, Any] = definition.get("ScalableTargetAction") or {}
    name = str(definition.get("ScheduledActionName", definition["Schedule"]))
    try:
        schedule = Schedule(
            expression=str(definition["Schedule"]),
            timezone=str(definition.get("Timezone", "UTC")),
            start=_moment(definition.get("StartTime")),
            end=_moment(definition.get("EndTime")),
        )
    except ScheduleError as error:
        raise SimulationError(f"{where} has the scheduled action {name}: {error}; correct it.") from None
    return ScheduledAction(
        name=name,
        minute=schedule.minute,
        schedule=schedule,
        minimum=int(bounds["MinCapacity"]) if "MinCapacity" in bounds else None,
        maximum=int(bounds["MaxCapacity"]) if "MaxCapacity" in bounds else None,
    )


def _moment(value: object) -> float | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ScheduleError(f"{value!r} is no moment in ISO 8601") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
