"""The state of an alarm from its datapoints, as CloudWatch evaluates it.

An alarm with a period of a minute or more is evaluated every minute, over a window that slides with it. Its scaling
actions run again at every evaluation that finds it in ALARM; all other actions run when the state changes.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html
"""

import operator
from collections.abc import Callable, Sequence
from typing import Literal

State = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
MissingData = Literal["missing", "notBreaching", "breaching", "ignore"]
Datapoints = Sequence[float | None]

# CloudWatch looks further back than the evaluation periods: its examples fetch 5 points for 3 periods.
EXTRA_DATAPOINTS = 2

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}


def comparison_named(name: str) -> Callable[[float, float], bool]:
    """The comparison of a datapoint with the threshold.

    Args:
        name: The comparison operator, as CloudWatch names it.

    Raises:
        ValueError: It is not known, such as those of anomaly bands.
    """
    try:
        return COMPARISONS[name]
    except KeyError:
        known = ", ".join(COMPARISONS)
        raise ValueError(f"Comparison {name!r} is not supported; use one of {known}.") from None


def is_breaching(value: float, *, comparison: str, threshold: float) -> bool:
    """Whether one datapoint is on the wrong side of the threshold."""
    return comparison_named(comparison)(value, threshold)


def evaluate(
    datapoints: Datapoints,
    *,
    comparison: str,
    threshold: float,
    evaluation_periods: int = 1,
    datapoints_to_alarm: int | None = None,
    missing_data: MissingData = "missing",
) -> State | None:
    """The alarm's state after these datapoints; None keeps the current state.

    Args:
        datapoints: The datapoints, oldest first; None where one is missing.
        comparison: The comparison operator, as CloudWatch names it.
        threshold: What the datapoints are compared with, in the unit of the metric.
        evaluation_periods: How many of the newest periods count. Defaults to 1.
        datapoints_to_alarm: How many of them must breach. Defaults to all.
        missing_data: How missing datapoints count. Defaults to `missing`.
    """
    breaching = comparison_named(comparison)
    return state_of(
        [None if value is None else breaching(value, threshold) for value in datapoints],
        evaluation_periods=evaluation_periods,
        datapoints_to_alarm=evaluation_periods if datapoints_to_alarm is None else datapoints_to_alarm,
        missing_data=missing_data,
    )


def state_of(
    breaches: Sequence[bool | None], *, evaluation_periods: int, datapoints_to_alarm: int, missing_data: MissingData
) -> State | None:
    """The state for datapoints already compared; None keeps the current state.

    Args:
        breaches: Whether each datapoint breaches, oldest first; None where one is missing.
        evaluation_periods: How many of the newest periods count.
        datapoints_to_alarm: How many of them must breach.
        missing_data: How missing datapoints count.
    """
    real = [breach for breach in breaches if breach is not None][-evaluation_periods:]
    breaching = real.count(True)
    filled = evaluation_periods - len(real)
    if breaching >= datapoints_to_alarm:
        return "ALARM"
    if filled == 0 or missing_data == "notBreaching":
        return "OK"
    if missing_data == "breaching":
        return "ALARM" if breaching + filled >= datapoints_to_alarm else "OK"
    if breaching < len(real):
        return "OK"
    if missing_data == "ignore":
        return None
    # All real points breach and none is young enough to wait for more: the guide's "premature alarm" rule.
    oldest = next((len(breaches) - index for index, breach in enumerate(breaches) if breach is not None), 0)
    return "ALARM" if real and oldest >= datapoints_to_alarm else "INSUFFICIENT_DATA"


def sliding_windows(values: Sequence[float | None], *, minutes: int, count: int) -> list[list[float]]:
    """The newest windows of so many minutes each, oldest first, ending with the last of the minutely values.

    With 5-minute periods the windows of one evaluation cover minutes 1-5, those of the next minutes 2-6.

    Args:
        values: One value a minute, oldest first; None where one is missing.
        minutes: The length of a window, in minutes.
        count: The number of windows.
    """
    ends = [len(values) - minutes * index for index in reversed(range(count))]
    return [[value for value in values[max(end - minutes, 0) : max(end, 0)] if value is not None] for end in ends]
