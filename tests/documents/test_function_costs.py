"""The tables of costs are today's, and the arithmetic behind them is right."""

import pytest

from tools.function_costs import DOCUMENT, crossing, of_function, of_tasks, written


def test_the_tables_are_fresh() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert document == written(document), "Refresh them with: python -m tools.function_costs"


def test_a_million_messages_of_a_tenth_of_a_second() -> None:
    idle = of_function(0, 0.1, batch=10, side_by_side=1)
    assert idle == pytest.approx(5 * 131_400 * 0.4e-6)
    one_by_one = of_function(1, 0.1, batch=10, side_by_side=1) - idle
    side_by_side = of_function(1, 0.1, batch=10, side_by_side=10) - idle
    assert one_by_one == pytest.approx(0.02 + 1e6 * 0.1 * 0.5 * 0.0000133334)
    assert side_by_side == pytest.approx(0.02 + 1e5 * 0.1 * 0.5 * 0.0000133334)


def test_at_the_crossing_both_cost_the_same() -> None:
    for side_by_side in (1, 10):
        millions = crossing(0.1, batch=10, side_by_side=side_by_side)
        assert of_function(millions, 0.1, batch=10, side_by_side=side_by_side) == pytest.approx(of_tasks(0, 0.1))


def test_more_tasks_run_where_one_is_not_enough() -> None:
    assert of_tasks(1, 0.1) == of_tasks(0, 0.1)
    assert of_tasks(1_000, 0.1) == pytest.approx(6 * of_tasks(0, 0.1))
