"""The sample workload, and that its expectation fits its files."""

import csv
import io
from functools import reduce

from scenarios.order_pipeline.workload import (
    FURTHER_ROUNDS,
    OVERSIZED_NOTE_BYTES,
    Totals,
    Workload,
    further_workload,
    sample_workload,
)

WORKLOAD = sample_workload()
csv.field_size_limit(2 * OVERSIZED_NOTE_BYTES)
ROWS = {key: list(csv.DictReader(io.StringIO(text), restkey="surplus")) for key, text in WORKLOAD.files.items()}


def test_it_is_the_same_every_time() -> None:
    assert sample_workload() == WORKLOAD


def test_each_further_round_doubles_the_orders_and_repeats_none() -> None:
    rounds = [further_workload(number) for number in range(1, FURTHER_ROUNDS + 1)]
    together = reduce(Workload.with_further, rounds, WORKLOAD)

    assert [each.rows for each in rounds] == [2_400, 4_800, 9_600]
    assert len(together.valid) == len(WORKLOAD.valid) + sum(each.rows for each in rounds)
    assert len(together.files) == len(WORKLOAD.files) + sum(len(each.files) for each in rounds)
    assert (together.bad, together.rows) == (WORKLOAD.bad, WORKLOAD.rows + sum(each.rows for each in rounds))


def test_its_rows_are_counted() -> None:
    assert sum(map(len, ROWS.values())) == WORKLOAD.rows


def test_every_row_is_either_valid_or_known_to_be_bad() -> None:
    seen = {row["order_id"] for rows in ROWS.values() for row in rows}
    assert seen == set(WORKLOAD.valid) | WORKLOAD.bad
    assert not set(WORKLOAD.valid) & WORKLOAD.bad


def test_one_order_comes_twice_in_two_files() -> None:
    ids = [row["order_id"] for rows in ROWS.values() for row in rows]
    twice = {name for name in ids if ids.count(name) > 1}
    assert len(twice) == 1
    homes = [key for key, rows in ROWS.items() if twice & {row["order_id"] for row in rows}]
    assert len(homes) == 2


def test_each_bad_row_is_bad_in_its_own_way() -> None:
    rows = {row["order_id"]: row for rows in ROWS.values() for row in rows}
    assert not rows["bad-amount"]["amount_cents"].isdigit()
    assert rows["bad-missing"]["amount_cents"] is None
    assert rows["bad-extra"]["surplus"] == ["surplus"]
    assert len(rows["bad-oversized"]["note"]) == OVERSIZED_NOTE_BYTES > 256 * 1024


def test_totals_add_up() -> None:
    totals = WORKLOAD.totals
    assert sum(total.orders for total in totals.values()) == len(WORKLOAD.valid)
    assert sum(total.total_cents for total in totals.values()) == sum(
        order.amount_cents for order in WORKLOAD.valid.values()
    )
    assert all(isinstance(total, Totals) for total in totals.values())
