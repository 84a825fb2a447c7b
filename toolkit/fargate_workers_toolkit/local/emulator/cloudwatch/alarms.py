"""Alarm evaluation once a minute that honours dimensions, periods, M of N, missing data and metric math."""

import logging
import time
from typing import Any

from fargate_workers_toolkit.aws_behaviour import EXTRA_DATAPOINTS, Series, evaluate
from fargate_workers_toolkit.local.emulator.autoscaling.acting import AutoScaling, Trigger
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.cloudwatch.datapoints import (
    Datapoints,
    Query,
    is_returned,
    period_of,
    spans_until,
)
from fargate_workers_toolkit.local.emulator.ministack_parts import cloudwatch, responses

logger = logging.getLogger("local.alarms")

Alarm = dict[str, Any]


class Alarms:
    """The evaluation of alarms. MiniStack's own ignores dimensions and knows neither M of N nor missing data.

    Args:
        clock: The clock of the embedded AWS.
        scaling: Acts on alarms that scaling policies follow.
    """

    def __init__(self, clock: Clock, scaling: AutoScaling) -> None:
        self._clock = clock
        self._scaling = scaling
        self._datapoints = Datapoints(clock)
        self._broken: set[str] = set()

    def install(self) -> None:
        """Put it into MiniStack."""
        cloudwatch._evaluate_alarm = _not_when_a_datapoint_comes

    def evaluate_all(self) -> None:
        """Every alarm once; then the policies act, all of them on the same evaluation."""
        triggers: list[Trigger] = []
        for key, alarm in cloudwatch._alarms.all_items():
            with responses.request_scope(key[0], key[1]):
                try:
                    triggers += self._evaluate(alarm)
                except ValueError as error:
                    self._complain(alarm, error)
        self._scaling.act(triggers)

    def _evaluate(self, alarm: Alarm) -> list[Trigger]:
        """Sets the alarm's state. Unlike notifications, scaling actions run again at every evaluation."""
        periods = int(alarm["EvaluationPeriods"])
        datapoints = self._newest(alarm, count=periods + EXTRA_DATAPOINTS)
        state = evaluate(
            datapoints,
            comparison=alarm["ComparisonOperator"],
            threshold=float(alarm["Threshold"]),
            evaluation_periods=periods,
            datapoints_to_alarm=alarm.get("DatapointsToAlarm"),
            missing_data=alarm.get("TreatMissingData") or "missing",
        )
        evaluated = [value for value in datapoints if value is not None][-periods:]
        if state is not None and state != alarm["StateValue"]:
            self._change(alarm, state, evaluated[-1] if evaluated else None)
        if not alarm.get("ActionsEnabled", True):
            return []
        actions: list[str] = alarm.get("AlarmActions") or []
        return [
            Trigger(
                policy=action,
                alarm=alarm["AlarmName"],
                in_alarm=alarm["StateValue"] == "ALARM",
                evaluated=evaluated,
                threshold=float(alarm["Threshold"]),
            )
            for action in actions
            if self._scaling.follows(action)
        ]

    def _change(self, alarm: Alarm, state: str, newest: float | None) -> None:
        before, reason = alarm["StateValue"], f"{newest} {alarm['ComparisonOperator']} {alarm['Threshold']}"
        now = int(time.time())
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=now, StateTransitionedTimestamp=now)
        cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)
        logger.warning("%s: %s -> %s (%s)", alarm["AlarmName"], before, state, reason)

    def _newest(self, alarm: Alarm, *, count: int) -> Series:
        """The alarm's newest datapoints, one a period, oldest first. Windows slide with every minute."""
        queries: list[Query] | None = alarm.get("Metrics")
        if queries is None:
            statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
            spans = spans_until(self._clock.minute, period=int(alarm.get("Period", 60)), count=count)
            return self._datapoints.single(alarm, statistic, spans)
        # One more datapoint in front: DIFF and RATE need what came before.
        spans = spans_until(self._clock.minute, period=period_of(queries), count=count + 1)
        returned = next(query["Id"] for query in queries if is_returned(query))
        return self._datapoints.combined(queries, spans)[returned][-count:]

    def _complain(self, alarm: Alarm, error: ValueError) -> None:
        if alarm["AlarmName"] not in self._broken:
            self._broken.add(alarm["AlarmName"])
            logger.error("Alarm %s cannot be evaluated: %s", alarm["AlarmName"], error)


def _not_when_a_datapoint_comes(_alarm: Alarm) -> None:
    """MiniStack evaluates at every PutMetricData; we do once a minute."""
