"""The examples of the CloudWatch user guide: "How alarm state is evaluated when data is missing"."""

import pytest

from benchmarks.scaling.documented import MISSING_DATA, Example
from fargate_workers_toolkit.aws_behaviour.alarm_evaluation import evaluate, is_breaching, sliding_windows


@pytest.mark.parametrize("example", MISSING_DATA, ids=lambda example: example.name)
def test_every_example_of_the_user_guide_comes_out_as_documented(example: Example) -> None:
    assert example.calculate() == example.documented


def test_without_datapoints_to_alarm_every_period_has_to_breach() -> None:
    common = {"comparison": "GreaterThanOrEqualToThreshold", "threshold": 1.0, "evaluation_periods": 2}
    assert evaluate([1, 0, 1], **common) == "OK"
    assert evaluate([0, 1, 1], **common) == "ALARM"


@pytest.mark.parametrize(
    ("comparison", "below", "equal", "above"),
    [
        ("GreaterThanOrEqualToThreshold", False, True, True),
        ("GreaterThanThreshold", False, False, True),
        ("LessThanThreshold", True, False, False),
        ("LessThanOrEqualToThreshold", True, True, False),
    ],
)
def test_each_comparison_decides_at_the_threshold(comparison: str, below: bool, equal: bool, above: bool) -> None:
    verdicts = [is_breaching(value, comparison=comparison, threshold=5) for value in (4, 5, 6)]
    assert verdicts == [below, equal, above]


def test_an_anomaly_band_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'GreaterThanUpperThreshold' is not supported; use one of"):
        is_breaching(1, comparison="GreaterThanUpperThreshold", threshold=1)


def test_five_minute_windows_slide_with_every_minute() -> None:
    minutes: list[float | None] = [1, 2, 3, 4, 5, 6]
    assert sliding_windows(minutes[:5], minutes=5, count=1) == [[1, 2, 3, 4, 5]]
    assert sliding_windows(minutes, minutes=5, count=1) == [[2, 3, 4, 5, 6]]
    assert sliding_windows([*minutes, None], minutes=2, count=3) == [[2, 3], [4, 5], [6]]


def test_a_window_before_the_first_minute_is_empty() -> None:
    assert sliding_windows([7], minutes=5, count=2) == [[], [7]]
