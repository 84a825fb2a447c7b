"""Scheduled actions of a scalable target: new bounds at a time of the day."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.model import ScheduledAction

_DAILY = re.compile(r"cron\((\d{1,2}) (\d{1,2}) (\*|\?) \* (\*|\?) \*\)")


def scheduled_actions(definitions: Sequence[Mapping[str, Any]], *, where: str) -> list[ScheduledAction]:
    """The daily ones. Raises SimulationError for other schedules: a simulated day has no date."""
    actions: list[ScheduledAction] = []
    for definition in definitions:
        daily = _DAILY.fullmatch(str(definition["Schedule"]))
        if daily is None:
            raise SimulationError(
                f"{where} has the scheduled action {definition['Schedule']}; only daily ones can be simulated: "
                "cron(minute hour * * ? *)."
            )
        bounds: Mapping[str, Any] = definition.get("ScalableTargetAction") or {}
        actions.append(
            ScheduledAction(
                name=str(definition.get("ScheduledActionName", definition["Schedule"])),
                minute=int(daily[2]) * 60 + int(daily[1]),
                minimum=int(bounds["MinCapacity"]) if "MinCapacity" in bounds else None,
                maximum=int(bounds["MaxCapacity"]) if "MaxCapacity" in bounds else None,
            )
        )
    return sorted(actions, key=lambda action: action.minute)
