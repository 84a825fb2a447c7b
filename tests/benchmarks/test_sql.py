"""The benchmark of SQL claims writes what it says: each key once, with and without a claim."""

from benchmarks.sql.claiming import measure


def test_a_small_measurement_has_all_its_figures() -> None:
    rates = measure(handlers=2, turns=4, transactions=20)
    assert min(rates.bare, rates.claimed, rates.refused, rates.ratio, rates.median_ratio) > 0
