"""EventBridge rules with a schedule, in minutes of the clock."""

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.events.targets import Targets
from fargate_workers_toolkit.local.emulator.functions.lambda_functions import Functions
from fargate_workers_toolkit.local.emulator.ministack_parts import eventbridge, responses

Key = tuple[str, str, str]


class Rules:
    """The ticker of rules in place of MiniStack's, whose minutes are those of the wall clock.

    Args:
        clock: The clock of the embedded AWS.
        targets: Receive events.
        functions: Receive invocations.
    """

    def __init__(self, clock: Clock, *, targets: Targets, functions: Functions) -> None:
        self._clock = clock
        self._targets = targets
        self._functions = functions
        self._due: dict[Key, float] = {}

    def install(self) -> None:
        """Put it into MiniStack."""
        eventbridge._tick_scheduled_rules = _not_by_the_wall_clock

    def fire(self) -> None:
        """Invokes what is due in the minute that begins; returns when the functions among it have ended."""
        now = self._clock.virtual(self._clock.begin_of(self._clock.minute))
        for key, rule in eventbridge._rules.all_items():
            expression = rule.get("ScheduleExpression")
            if not expression:
                continue
            due = self._due.setdefault(key, _next(expression, now))
            if now >= due and rule.get("State") == "ENABLED":
                self._due[key] = _next(expression, now)
                with responses.request_scope(key[0], key[1]):
                    for target in list(eventbridge._targets.get(key[2]) or []):
                        self._targets.invoke(target, self._event(rule, due), rule)
        self._functions.wait()

    def _event(self, rule: Mapping[str, Any], due: float) -> dict[str, Any]:
        return {
            "EventId": str(uuid.uuid4()),
            "Source": "aws.events",
            "DetailType": "Scheduled Event",
            "Detail": "{}",
            "EventBusName": rule.get("EventBusName", "default"),
            "Time": due,
            "Resources": [rule["Arn"]],
            "Account": responses.get_account_id(),
            "Region": responses.get_region(),
        }


def _next(expression: str, now: float) -> float:
    """The virtual moment at which it is due after `now`."""
    seconds = eventbridge._parse_rate_seconds(expression)
    if seconds is not None:
        return now + seconds
    moment = datetime.datetime.fromtimestamp(now, datetime.UTC)
    found = eventbridge._cron_next_fire(eventbridge._parse_cron_fields(expression), moment)
    return found.timestamp() if found else float("inf")


def _not_by_the_wall_clock() -> None:
    """Rules fire at the beginning of a minute of the clock."""
