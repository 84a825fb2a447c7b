"""The moments of a service's scheduled actions in a load: they follow its calendar."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.loads import Load
from fargate_workers_toolkit.simulation.model import ScheduledAction

# A load without dates begins at midnight in UTC, on a day in winter.
WITHOUT_DATE = datetime(2026, 1, 5, tzinfo=UTC).timestamp()


def actions_by_minute(actions: Sequence[ScheduledAction], load: Load) -> Mapping[int, list[ScheduledAction]]:
    """The actions by the minute of the load at the end of which they happen.

    Args:
        actions: The scheduled actions of a service.
        load: The load.

    Raises:
        SimulationError: The load has no dates, and an action happens on some days only.
    """
    begin = WITHOUT_DATE if load.begin is None else load.begin
    found: dict[int, list[ScheduledAction]] = {}
    for action in actions:
        for minute in _minutes(action, begin, load):
            found.setdefault(minute, []).append(action)
    return found


def _minutes(action: ScheduledAction, begin: float, load: Load) -> list[int]:
    schedule = action.schedule
    if schedule is None:
        return list(range(action.minute, load.seconds // 60 + 2, 1440))
    if schedule.needs_date and load.begin is None:
        raise SimulationError(
            f"The scheduled action {action.name} happens on some days only, and the load {load.name} has no date; "
            "give one with dates, as a file."
        )
    # What happens at the beginning holds from the first minute on.
    return [max(int((moment - begin) // 60), 1) for moment in schedule.moments(begin, begin + load.seconds + 60)]
