"""The examples of the CloudWatch user guide: "How alarm state is evaluated when data is missing"."""

import pytest

from fargate_workers_toolkit.semantics.alarm_evaluation import (
    MissingData,
    State,
    evaluate,
    is_breaching,
    sliding_windows,
)

POINTS = {"0": 0.0, "X": 10.0, "-": None}
TREATMENTS: tuple[MissingData, ...] = ("missing", "ignore", "breaching", "notBreaching")
KEEP = None

# Both tables of five rows as AWS prints them. A newer page of the guide prints the premature rows as X---- and ----X.
THREE_OF_THREE: list[tuple[str, tuple[State | None, ...]]] = [
    ("0-X-X", ("OK", "OK", "OK", "OK")),
    ("0----", ("OK", "OK", "OK", "OK")),
    ("-----", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
    ("0XX-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("--X--", ("ALARM", KEEP, "ALARM", "OK")),
]
TWO_OF_THREE: list[tuple[str, tuple[State | None, ...]]] = [
    ("0-X-X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("00X0X", ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0-X--", ("OK", "OK", "ALARM", "OK")),
    ("----0", ("OK", "OK", "ALARM", "OK")),
    ("---X-", ("ALARM", KEEP, "ALARM", "OK")),
]
# What the guide's text says about premature alarms beside the tables.
PREMATURE: list[tuple[int, str, tuple[State | None, ...]]] = [
    (3, "----X", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
    (3, "---X-", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
    (3, "X----", ("ALARM", KEEP, "ALARM", "OK")),
    (2, "----X", ("INSUFFICIENT_DATA", KEEP, "ALARM", "OK")),
]


def cases() -> list[tuple[str, int, MissingData, State | None]]:
    tables = [(3, *row) for row in THREE_OF_THREE] + [(2, *row) for row in TWO_OF_THREE] + PREMATURE
    return [
        (points, needed, treatment, state)
        for needed, points, states in tables
        for treatment, state in zip(TREATMENTS, states, strict=True)
    ]


@pytest.mark.parametrize(("points", "needed", "treatment", "state"), cases())
def test_every_example_of_the_user_guide_comes_out_as_documented(
    points: str, needed: int, treatment: MissingData, state: State | None
) -> None:
    assert (
        evaluate(
            [POINTS[point] for point in points],
            comparison="GreaterThanThreshold",
            threshold=5,
            evaluation_periods=3,
            datapoints_to_alarm=needed,
            missing_data=treatment,
        )
        == state
    )


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
