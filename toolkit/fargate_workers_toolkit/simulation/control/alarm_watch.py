"""An alarm at work: fetches its datapoints every minute and keeps its state."""

from collections.abc import Callable, Sequence

from fargate_workers_toolkit.aws_behaviour import (
    EXTRA_DATAPOINTS,
    MissingData,
    State,
    comparison_named,
    state_of,
)
from fargate_workers_toolkit.simulation.control.metric_feed import Feed, Values
from fargate_workers_toolkit.simulation.model import Alarm, Query


class AlarmWatch:
    """The state of one alarm, which policies go by.

    Args:
        feed: The metrics.
        query: The metric or expression that the alarm watches.
        name: The alarm's name.
        comparison: The comparison operator, as CloudWatch names it.
        threshold: In the unit of the metric.
        evaluation_periods: How many of the newest periods count.
        datapoints_to_alarm: How many of them must breach.
        missing_data: How missing datapoints count. Defaults to `missing`.

    Attributes:
        metric: Its newest real datapoint.
        evaluated: The datapoints of its evaluation periods, oldest first.
    """

    def __init__(
        self,
        feed: Feed,
        query: Query,
        *,
        name: str,
        comparison: str,
        threshold: float,
        evaluation_periods: int,
        datapoints_to_alarm: int,
        missing_data: MissingData = "missing",
    ) -> None:
        self.name = name
        self.threshold = threshold
        self.state: State = "INSUFFICIENT_DATA"
        self.metric: float | None = None
        self.evaluated: Sequence[float] = ()
        self._breaches = comparison_named(comparison)
        self._periods = evaluation_periods
        self._needed = datapoints_to_alarm
        self._missing_data: MissingData = missing_data
        self._datapoints: Callable[[], Values] = feed.datapoints(query, count=evaluation_periods + EXTRA_DATAPOINTS)

    @classmethod
    def of(cls, feed: Feed, alarm: Alarm) -> "AlarmWatch":
        return cls(
            feed,
            alarm.query,
            name=alarm.name,
            comparison=alarm.comparison,
            threshold=alarm.threshold,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints_to_alarm,
            missing_data=alarm.missing_data,
        )

    def evaluate(self) -> bool:
        """Evaluates once more; whether the state changed."""
        values = self._datapoints()
        newest = values[-1] if values else None
        if newest is None:
            newest = next((value for value in reversed(values) if value is not None), None)
        before, self.metric = self.metric, newest
        breaches, threshold = self._breaches, self.threshold
        if self._periods == 1 and newest is not None:
            if newest == before:
                return False
            # The result of `state_of` for one period, without the lists.
            self.evaluated = (newest,)
            state = "ALARM" if breaches(newest, threshold) else "OK"
        else:
            self.evaluated = [value for value in values if value is not None][-self._periods :]
            state = state_of(
                [None if value is None else breaches(value, threshold) for value in values],
                evaluation_periods=self._periods,
                datapoints_to_alarm=self._needed,
                missing_data=self._missing_data,
            )
        if state is None or state == self.state:
            return False
        self.state = state
        return True
