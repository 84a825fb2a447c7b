"""Mute rules of alarms, which MiniStack lacks: while one is active, its alarms change and notify nobody."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.ministack_parts import app, cloudwatch, responses

Request = Mapping[str, Any]
Rule = dict[str, Any]
#: The window of `fargate-workers mute`: one that comes once, in whole minutes.
_ONCE = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d)\)")
_MINUTES = re.compile(r"PT(\d+)M")
_KEPT = ("Name", "Description", "Rule", "MuteTargets", "ExpireDate")


class MuteRules:
    """Mute rules whose window comes once; a minute of a window is a minute of the clock.

    Args:
        clock: The clock of the embedded AWS.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rules: dict[str, Rule] = {}
        self._windows: dict[str, range] = {}
        self._actions: Mapping[str, Callable[[Request], dict[str, Any]]] = {
            "PutAlarmMuteRule": self._put,
            "ListAlarmMuteRules": self._list,
            "GetAlarmMuteRule": lambda request: self._described(request["AlarmMuteRuleName"]),
            "DeleteAlarmMuteRule": self._delete,
        }

    def install(self) -> None:
        """Put it into MiniStack."""
        others, notify = app.SERVICE_HANDLERS["monitoring"], cloudwatch._dispatch_alarm_actions

        async def handle(method: str, path: str, headers: Mapping[str, str], body: bytes, query: object) -> Any:
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            if action not in self._actions:
                return await others(method, path, headers, body, query)
            try:
                return responses.json_response(self._actions[action](json.loads(body or b"{}")))
            except KeyError as error:
                return responses.error_response_json("ResourceNotFoundException", f"There is no {error}.", 404)
            except ValueError as error:
                return responses.error_response_json("ValidationError", str(error), 400)

        def notify_unless_muted(alarm: Mapping[str, Any], *arguments: Any) -> None:
            if not self._mutes(alarm["AlarmName"]):
                notify(alarm, *arguments)

        app.SERVICE_HANDLERS["monitoring"] = handle
        cloudwatch._dispatch_alarm_actions = notify_unless_muted

    def _put(self, request: Request) -> dict[str, Any]:
        schedule: Mapping[str, str] = request["Rule"]["Schedule"]
        begin = _ONCE.fullmatch(schedule["Expression"])
        minutes = _MINUTES.fullmatch(schedule["Duration"])
        if begin is None or minutes is None or schedule.get("Timezone", "UTC") != "UTC":
            raise ValueError("The embedded AWS takes windows like at(2026-11-30T12:00) in UTC, as long as PT120M.")
        first = self._clock.minute_shown(datetime.fromisoformat(begin[1]).replace(tzinfo=UTC).timestamp())
        name: str = request["Name"]
        scope = f"{responses.get_region()}:{responses.get_account_id()}"
        kept = {key: request[key] for key in _KEPT if key in request}
        self._rules[name] = {**kept, "AlarmMuteRuleArn": f"arn:aws:cloudwatch:{scope}:alarm-mute-rule:{name}"}
        self._windows[name] = range(first, first + int(minutes[1]))
        return {}

    def _list(self, request: Request) -> dict[str, Any]:
        rules = [self._described(name) for name in self._rules]
        wanted = request.get("Statuses") or ("SCHEDULED", "ACTIVE", "EXPIRED")
        return {
            "AlarmMuteRuleSummaries": [
                {"AlarmMuteRuleArn": rule["AlarmMuteRuleArn"], "Status": rule["Status"]}
                for rule in rules
                if rule["Status"] in wanted
            ]
        }

    def _delete(self, request: Request) -> dict[str, Any]:
        name = request["AlarmMuteRuleName"]
        self._rules.pop(name, None)
        self._windows.pop(name, None)
        return {}

    def _described(self, name: str) -> Rule:
        return {**self._rules[name], "Status": self._status(name)}

    def _status(self, name: str) -> str:
        window = self._windows[name]
        if self._clock.minute < window.start:
            return "SCHEDULED"
        return "ACTIVE" if self._clock.minute in window else "EXPIRED"

    def _mutes(self, alarm: str) -> bool:
        return any(
            alarm in rule.get("MuteTargets", {}).get("AlarmNames", ()) and self._status(name) == "ACTIVE"
            for name, rule in list(self._rules.items())
        )
