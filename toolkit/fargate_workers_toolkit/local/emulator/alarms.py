"""Alarm evaluation that honours dimensions, periods, M of N, missing data and metric math, every compressed minute."""

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.local.clock import Clock
from fargate_workers_toolkit.local.emulator.autoscaling import AutoScaling
from fargate_workers_toolkit.local.emulator.ministack_parts import cloudwatch, responses
from fargate_workers_toolkit.semantics import metric_math
from fargate_workers_toolkit.semantics.alarm_evaluation import EXTRA_DATAPOINTS, evaluate

logger = logging.getLogger("local.alarms")

Alarm = dict[str, Any]


class Alarms:
    """Replaces MiniStack's evaluation, which ignores dimensions and knows neither M of N nor missing data."""

    def __init__(self, clock: Clock, scaling: AutoScaling) -> None:
        self._clock = clock
        self._scaling = scaling
        self._broken: set[str] = set()

    def install(self) -> None:
        cloudwatch._evaluate_alarm = _not_when_a_datapoint_comes

    def evaluate_all(self, minute: int) -> None:
        for key, alarm in cloudwatch._alarms.all_items():
            with responses.request_scope(key[0], key[1]):
                try:
                    self._evaluate(alarm, minute)
                except ValueError as error:
                    self._complain(alarm, error)

    def _evaluate(self, alarm: Alarm, minute: int) -> None:
        periods = int(alarm["EvaluationPeriods"])
        datapoints = self._datapoints(alarm, minute, periods + EXTRA_DATAPOINTS)
        state = evaluate(
            datapoints,
            comparison=alarm["ComparisonOperator"],
            threshold=float(alarm["Threshold"]),
            evaluation_periods=periods,
            datapoints_to_alarm=alarm.get("DatapointsToAlarm"),
            missing_data=alarm.get("TreatMissingData") or "missing",
        )
        newest = next((value for value in reversed(datapoints) if value is not None), None)
        if state is not None and state != alarm["StateValue"]:
            self._change(alarm, state, newest)
        if alarm["StateValue"] == "ALARM" and newest is not None and alarm.get("ActionsEnabled", True):
            # Unlike notifications, scaling actions run again at every evaluation.
            actions: list[str] = alarm.get("AlarmActions") or []
            for action in actions:
                if self._scaling.knows(action):
                    threshold = float(alarm["Threshold"])
                    self._scaling.run(action, metric=newest, threshold=threshold, alarm=alarm["AlarmName"])

    def _change(self, alarm: Alarm, state: str, newest: float | None) -> None:
        before, reason = alarm["StateValue"], f"{newest} {alarm['ComparisonOperator']} {alarm['Threshold']}"
        now = int(time.time())
        alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=now, StateTransitionedTimestamp=now)
        cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
        cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
        cloudwatch._evaluate_parent_alarms(alarm)
        logger.warning("%s: %s -> %s (%s)", alarm["AlarmName"], before, state, reason)

    def _datapoints(self, alarm: Alarm, minute: int, count: int) -> list[float | None]:
        """The alarm's newest datapoints, one a period, oldest first."""
        if "Metrics" not in alarm:
            statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
            return self._series(alarm, statistic, int(alarm.get("Period", 60)), minute, count)
        queries: list[Mapping[str, Any]] = alarm["Metrics"]
        stats = {query["Id"]: query["MetricStat"] for query in queries if "MetricStat" in query}
        # One more datapoint in front: DIFF and RATE need what came before.
        series = {
            name: self._series(stat["Metric"], stat["Stat"], int(stat["Period"]), minute, count + 1)
            for name, stat in stats.items()
        }
        period = max(int(stat["Period"]) for stat in stats.values())
        expressions = {query["Id"]: query["Expression"] for query in queries if "Expression" in query}
        for name, expression in metric_math.in_order(expressions):
            series[name] = metric_math.evaluate(expression, series, period=period)
        returned = next(query["Id"] for query in queries if _is_true(query.get("ReturnData", True)))
        return series[returned][1:]

    def _series(
        self, metric: Mapping[str, Any], statistic: str, period: int, minute: int, count: int
    ) -> list[float | None]:
        """Windows slide with every minute and end with the minute just over."""
        given: list[Mapping[str, str]] = metric.get("Dimensions") or []
        dimensions = {item["Name"]: item["Value"] for item in given}
        key = (metric["Namespace"], metric["MetricName"], cloudwatch._dims_key(dimensions))
        minutes = max(period // 60, 1)
        windows: dict[int, list[dict[str, Any]]] = defaultdict(list)
        # Newest first, so that what is long past is not looked at.
        for point in reversed(cloudwatch._metrics.get(key) or []):
            window = (minute - self._clock.minute(point["Timestamp"])) // minutes
            if window > count:
                break
            if 0 <= window < count:
                windows[window].append(point)
        values = [_statistic(windows[window], statistic) if window in windows else None for window in range(count)]
        return values[::-1]

    def _complain(self, alarm: Alarm, error: ValueError) -> None:
        if alarm["AlarmName"] not in self._broken:
            self._broken.add(alarm["AlarmName"])
            logger.error("Alarm %s cannot be evaluated: %s", alarm["AlarmName"], error)


def _not_when_a_datapoint_comes(_alarm: Alarm) -> None:
    """MiniStack evaluates at every PutMetricData; we do once a minute."""


def _statistic(points: list[dict[str, Any]], statistic: str) -> float | None:
    return cloudwatch._stat_value(cloudwatch._calc_stats(points), statistic, points)


def _is_true(value: object) -> bool:
    return str(value).lower() != "false"
