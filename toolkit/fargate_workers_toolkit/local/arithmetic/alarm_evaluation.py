"""From datapoints to an alarm's state, as CloudWatch does it.

Follows "How alarm state is evaluated when data is missing" in the CloudWatch user guide; its tables are the tests.
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


def is_breaching(value: float, *, comparison: str, threshold: float) -> bool:
    """Whether one datapoint is on the wrong side of the threshold."""
    try:
        return COMPARISONS[comparison](value, threshold)
    except KeyError:
        known = ", ".join(COMPARISONS)
        raise ValueError(f"Comparison {comparison!r} is not supported locally; use one of {known}.") from None


def evaluate(
    datapoints: Datapoints,
    *,
    comparison: str,
    threshold: float,
    evaluation_periods: int = 1,
    datapoints_to_alarm: int | None = None,
    missing_data: MissingData = "missing",
) -> State | None:
    """The alarm's state after these datapoints (oldest first, None where missing); None keeps the current state."""
    needed = evaluation_periods if datapoints_to_alarm is None else datapoints_to_alarm
    breaches = [
        None if value is None else is_breaching(value, comparison=comparison, threshold=threshold)
        for value in datapoints
    ]
    real = [breach for breach in breaches if breach is not None][-evaluation_periods:]
    breaching = real.count(True)
    filled = evaluation_periods - len(real)
    if breaching >= needed:
        return "ALARM"
    if filled == 0 or missing_data == "notBreaching":
        return "OK"
    if missing_data == "breaching":
        return "ALARM" if breaching + filled >= needed else "OK"
    if not all(real):
        return "OK"
    if missing_data == "ignore":
        return None
    # All real points breach and none is young enough to wait for more: the guide's "premature alarm" rule.
    oldest = next((len(breaches) - index for index, breach in enumerate(breaches) if breach is not None), 0)
    return "ALARM" if real and oldest >= needed else "INSUFFICIENT_DATA"
