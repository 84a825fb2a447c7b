"""Metric math over series with holes."""

import pytest

from fargate_workers_toolkit.aws_behaviour.metric_math import Expression, MetricMathError, evaluate, in_order

NONE = None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", [11, 20, 3]),
        ("-a * 2", [-2, NONE, -6]),
        ("a / 0", [NONE, NONE, NONE]),
        ("a ^ 2", [1, NONE, 9]),
        ("a >= 3", [0, NONE, 1]),
        ("FILL(a, 0)", [1, 0, 3]),
        ("FILL(a, REPEAT)", [1, 1, 3]),
        ("FILL(a, b)", [1, 20, 3]),
        ("IF(a > 1, a, 7)", [7, NONE, 3]),
        ("IF(FILL(a, 0) > 1, b)", [NONE, NONE, 0]),
        ("IF(FILL(a, 0) > 1 AND b > 0, 1, 0)", [0, 0, 0]),
        ("FILL(a, 0) > 1 || FILL(b, 0) > 10", [0, 1, 1]),
        ("MAX(a)", [3, 3, 3]),
        ("MIN([a, b])", [1, 20, 3]),
        ("SUM(METRICS())", [11, 20, 3]),
        ("AVG([a, b])", [5.5, 10, 1.5]),
        ("CEIL(a / 2)", [1, NONE, 2]),
        ("FLOOR(a / 2)", [0, NONE, 1]),
        ("ABS(-a)", [1, NONE, 3]),
        ("DIFF(a)", [NONE, NONE, 2]),
        ("RATE(a)", [NONE, NONE, 2 / 120]),
        ("RUNNING_SUM(a)", [1, NONE, 4]),
        ("PERIOD(a)", [60, 60, 60]),
        ("DATAPOINT_COUNT(a)", [2, 2, 2]),
        ("TIME_SERIES(5)", [5, 5, 5]),
    ],
)
def test_each_function_answers_period_by_period(expression: str, expected: list[float | None]) -> None:
    assert evaluate(expression, {"a": [1, NONE, 3], "b": [10, 20, NONE]}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("metric1 < metric2", [0, 0, 1, 0]),
        ("metric1 >= 30", [1, 0, 0, 0]),
        ("metric1 > 15 AND metric2 > 15", [1, 0, 0, 0]),
    ],
)
def test_between_two_series_a_missing_value_is_0_as_in_the_examples_of_the_guide(
    expression: str, expected: list[float | None]
) -> None:
    series = {"metric1": [30, 20, 0, 0], "metric2": [20, NONE, 20, NONE]}
    assert evaluate(expression, series) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("IF(metric1, metric2, metric3)", [30, 0, 20, NONE, NONE]),
        ("IF(metric1, 5, metric3)", [5, 5, 20, NONE, NONE]),
        ("IF(metric1, metric2, 5)", [30, 0, 5, 5, NONE]),
    ],
)
def test_if_chooses_as_in_the_examples_of_the_guide(expression: str, expected: list[float | None]) -> None:
    series = {"metric1": [1, 1, 0, 0, NONE], "metric2": [30, NONE, 0, 0, 30], "metric3": [0, 0, 20, NONE, 20]}
    assert evaluate(expression, series) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("a - 60 * 2", NONE), ("a - MAX(b)", NONE), ("a - b * 2", -8), ("a / b", 0), ("b / a", NONE), ("a / -2", NONE)],
)
def test_beside_a_plain_number_and_as_a_divisor_a_missing_value_stays_missing(
    expression: str, expected: float | None
) -> None:
    assert evaluate(expression, {"a": [NONE], "b": [4]}) == [expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [("a + b", NONE), ("a < b", NONE), ("a > 1 AND b > 1", NONE), ("IF(b, a)", NONE), ("FILL(a, 0) + b", 4)],
)
def test_in_a_minute_that_is_still_on_its_way_only_fill_makes_something_of_what_is_missing(
    expression: str, expected: float | None
) -> None:
    assert Expression.parse(expression, names=("a", "b"), waits=True).point({"a": NONE, "b": 4}) == expected


@pytest.mark.parametrize(
    ("expression", "series", "expected"),
    [
        ("FILL(visible, 0) + FILL(in_flight, 0)", {"visible": [5, NONE], "in_flight": [NONE, 2]}, [5, 2]),
        ("visible / IF(FILL(running, 0) < 1, 1, running)", {"visible": [9, 9], "running": [3, 0]}, [3, 9]),
        ("IF(visible > 0 AND FILL(deleted, 0) < 1, 1, 0)", {"visible": [4, 0], "deleted": [NONE, NONE]}, [1, 0]),
        ("IF(visible - DIFF(visible) > 0, DIFF(visible), 0)", {"visible": [0, 2, 5]}, [0, 0, 3]),
        ("MAX([failed, kept, lost])", {"failed": [NONE], "kept": [1], "lost": [NONE]}, [1]),
    ],
)
def test_the_catalogues_expressions_work(
    expression: str, series: dict[str, list[float | None]], expected: list[float | None]
) -> None:
    assert evaluate(expression, series) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("a +", "is not metric math"),
        ("c", "names 'c', which is none of a"),
        ("ANOMALY_DETECTION_BAND(a)", "ANOMALY_DETECTION_BAND with 1 arguments is not supported"),
        ("[a, a]", "gives several series"),
        ("a.__class__", "is not supported"),
        ("(lambda: 1)()", "is not supported"),
        ("'text'", "is not supported"),
    ],
)
def test_what_is_not_metric_math_is_refused(expression: str, reason: str) -> None:
    with pytest.raises(MetricMathError, match=reason):
        evaluate(expression, {"a": [1]})


@pytest.mark.parametrize(
    ("expression", "pointwise"),
    [
        ("IF(FILL(a, 0) < 1 AND b >= 1, 1, 0)", True),
        ("MAX([a, b]) / 2", True),
        ("SUM(METRICS()) + PERIOD(a)", True),
        ("FILL(a, REPEAT)", False),
        ("a - DIFF(a)", False),
        ("IF(MAX(a) > 1, a)", False),
    ],
)
def test_an_expression_knows_whether_one_period_suffices(expression: str, pointwise: bool) -> None:
    compiled = Expression.parse(expression, names=("a", "b"))
    assert compiled.pointwise is pointwise
    if pointwise:
        series: dict[str, list[float | None]] = {"a": [1, NONE, 3], "b": [10, 20, NONE]}
        one_by_one = [compiled.point({"a": a, "b": b}) for a, b in zip(series["a"], series["b"], strict=True)]
        assert one_by_one == compiled.series(series)


def test_series_functions_nest() -> None:
    assert evaluate("RUNNING_SUM(DIFF(a) + 1)", {"a": [1, 3, 3]}) == [NONE, 3, 4]
    assert evaluate("MAX(DIFF(a)) + AVG(a)", {"a": [1, 3, 5]}) == [5, 5, 5]


def test_expressions_come_after_those_they_name_however_long_the_chain() -> None:
    chain = {"gap": "need - running", "need": "CEIL(load + drain)", "drain": "visible / rate", "load": "sent / rate"}
    names = [name for name, _ in in_order(chain)]
    assert names[-2:] == ["need", "gap"]
    assert dict(in_order(chain)) == chain


def test_expressions_that_need_each_other_are_refused() -> None:
    with pytest.raises(MetricMathError, match=r"Expressions need each other: (a, b, a|b, a, b)"):
        in_order({"a": "b + 1", "b": "a + 1"})
