"""Watermarks and the metadata of commits, without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_runtime.brokers.kafka.commit_metadata import (
    MAX_METADATA_BYTES,
    MOST_RECORDS,
    Attempted,
    Kept,
    read,
    written,
)
from fargate_workers_runtime.brokers.kafka.watermark import Watermark


@given(st.sets(st.integers(0, 200), min_size=1), st.randoms())
def test_the_watermark_is_the_lowest_offset_that_is_not_finished(offsets: set[int], chance: object) -> None:
    """Whatever is missing from the log, and in whichever order records end."""
    taken = sorted(offsets)
    watermark = Watermark()
    for offset in taken:
        watermark.take(offset)
    finished = list(taken)
    chance.shuffle(finished)  # type: ignore[attr-defined]
    left = set(taken)
    for offset in finished:
        watermark.finish(offset)
        left.discard(offset)
        assert watermark.low == (min(left) if left else taken[-1] + 1)
        assert list(watermark.unfinished) == sorted(left)


def test_a_watermark_without_records_is_unknown() -> None:
    assert Watermark().low is None


def test_a_gap_is_no_record() -> None:
    """Compaction leaves gaps, and a transaction's markers have offsets of their own."""
    watermark = Watermark()
    for offset in (3, 7, 8):
        watermark.take(offset)
    watermark.finish(3)
    assert watermark.low == 7
    watermark.finish(8)
    watermark.finish(7)
    assert watermark.low == 9


def test_metadata_is_read_as_it_was_written() -> None:
    attempts = [(100, Attempted(3, 2)), (105, Attempted(1, 0))]
    metadata = written(100, owned=True, attempts=attempts, through=110, unfinished=[100, 105, 109])
    kept = Kept(owned=True, attempts=dict(attempts), through=110, unfinished=frozenset({100, 105, 109}))
    assert read(100, metadata) == kept
    assert [offset for offset in range(100, 115) if kept.has_finished(offset)] == [101, 102, 103, 104, 106, 107, 108]
    assert not read(100, written(100, owned=False)).has_finished(100)


@pytest.mark.parametrize(
    "metadata", [None, "", "{}", "somebody else's", "[1, 2]", '{"o": 1}', '{"o":1,"a":[[1]]}', "7"]
)
def test_what_another_program_committed_is_no_count(metadata: str | None) -> None:
    assert read(5, metadata) == Kept()


@given(st.integers(0, 2**62), st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 3000))
def test_metadata_fits_into_what_a_broker_takes(low: int, distance: int, count: int, many: int) -> None:
    offsets = [low + number * distance for number in range(many)]
    attempts = [(offset, Attempted(count, count)) for offset in offsets]
    through = low + many * distance
    metadata = written(low, owned=True, attempts=attempts, through=through, unfinished=offsets)
    assert len(metadata.encode()) <= MAX_METADATA_BYTES
    kept = read(low, metadata)
    assert len(kept.attempts) <= MOST_RECORDS
    assert list(kept.attempts) == offsets[: len(kept.attempts)]  # the lowest
    assert sorted(kept.unfinished) == offsets[: len(kept.unfinished)]
    assert not any(kept.has_finished(offset) for offset in offsets)
    assert kept.through == (offsets[len(kept.unfinished)] if len(kept.unfinished) < many else max(low, through))


def test_a_hundred_records_and_a_few_hundred_unfinished_ones_fit() -> None:
    offsets = [10**6 + number * 7 for number in range(400)]
    metadata = written(
        10**6,
        owned=True,
        attempts=[(offset, Attempted(10, 10)) for offset in offsets],
        through=10**6 + 5000,
        unfinished=offsets,
    )
    kept = read(10**6, metadata)
    assert len(kept.attempts) == MOST_RECORDS
    assert len(kept.unfinished) == 400
