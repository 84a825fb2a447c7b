"""EventBridge Scheduler in compressed time, with context attributes, and a way to fire a schedule now."""

import datetime
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fargate_workers_toolkit.errors import LocalError
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.events.targets import Targets
from fargate_workers_toolkit.local.emulator.ministack_parts import eventbridge, responses, scheduler

TICK_SECONDS = 0.5

Schedule = Mapping[str, Any]


class UnknownScheduleError(LocalError):
    """There is no schedule of that name."""


class Schedules:
    """The ticker of schedules in place of MiniStack's. An hour between two runs takes sixty compressed minutes.

    Args:
        clock: The clock of the embedded AWS.
        targets: Receive events.
    """

    def __init__(self, clock: Clock, targets: Targets) -> None:
        self._clock = clock
        self._targets = targets
        self._due: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Put it into MiniStack."""
        scheduler._SCHEDULE_TICK_INTERVAL = TICK_SECONDS
        scheduler._tick_schedules = self.tick

    def tick(self) -> None:
        """Invoke the targets of the schedules that are due."""
        now = self._clock.virtual(time.time())
        for key, schedule in scheduler._schedules.all_items():
            due = self._due.get(key)
            if due is None:
                self._due[key] = self._next(schedule, now)
            elif now >= due and schedule.get("State") == "ENABLED":
                self._due[key] = self._next(schedule, now)
                with responses.request_scope(key[0], key[1]):
                    self._targets.invoke(self._target(schedule, due), _event(schedule), schedule)

    def fire(self, group: str, name: str) -> list[str]:
        """Invoke a schedule's target now; its own times stay.

        Args:
            group: The schedule's group.
            name: Its name.

        Returns:
            The tasks that were started.

        Raises:
            UnknownScheduleError: There is no such schedule.
        """
        for (account, region, key), schedule in scheduler._schedules.all_items():
            if key == f"{group}/{name}":
                with responses.request_scope(account, region):
                    target = self._target(schedule, self._clock.virtual(time.time()))
                    return self._targets.deliver(target, _event(schedule), schedule)
        raise UnknownScheduleError(f"There is no schedule {group}/{name}.")

    def _next(self, schedule: Schedule, now: float) -> float:
        """When it is due after `now`, both on the wall clock of AWS."""
        expression = schedule["ScheduleExpression"]
        seconds = eventbridge._parse_rate_seconds(expression)
        if seconds is not None:
            return now + seconds
        if expression.startswith("at("):
            moment = datetime.datetime.fromisoformat(expression[3:-1]).replace(tzinfo=_zone(schedule))
            return moment.timestamp() if moment.timestamp() > now else float("inf")
        # Cron fields speak of the schedule's own wall clock, which MiniStack would read as UTC.
        zone = _zone(schedule)
        virtual = datetime.datetime.fromtimestamp(now, zone).replace(tzinfo=datetime.UTC)
        moment = eventbridge._cron_next_fire(eventbridge._parse_cron_fields(expression), virtual)
        return moment.replace(tzinfo=zone).timestamp() if moment else float("inf")

    def _target(self, schedule: Schedule, scheduled: float) -> dict[str, Any]:
        """The target with its context attributes filled in, as Scheduler does before it invokes."""
        moment = datetime.datetime.fromtimestamp(scheduled, datetime.UTC)
        attributes = {
            "<aws.scheduler.schedule-arn>": schedule["Arn"],
            "<aws.scheduler.scheduled-time>": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "<aws.scheduler.execution-id>": str(uuid.uuid4()),
            "<aws.scheduler.attempt-number>": "1",
        }
        target = dict(schedule["Target"])
        for name, value in attributes.items():
            target["Input"] = target.get("Input", "").replace(name, value)
        return target


def _zone(schedule: Schedule) -> ZoneInfo:
    return ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")


def _event(schedule: Schedule) -> dict[str, Any]:
    return {
        "EventId": str(uuid.uuid4()),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": time.time(),
        "Resources": [schedule["Arn"]],
        "Account": responses.get_account_id(),
        "Region": responses.get_region(),
    }
