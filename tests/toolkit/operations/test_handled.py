"""What is done of a partition: an offset, and what is above it, within what a commit can carry."""

from hypothesis import given
from hypothesis import strategies as st

from fargate_workers_toolkit.operations.sources.kafka.handled import Handled

OFFSETS = st.lists(st.integers(10, 60), unique=True)


@given(OFFSETS)
def test_exactly_what_was_done_is_done(offsets: list[int]) -> None:
    handled = Handled(before=10)
    for offset in offsets:
        handled = handled.with_(offset)

    assert [offset for offset in range(10, 61) if handled.has(offset)] == sorted(offsets)
    assert handled.before - 10 + handled.above == len(offsets)
    assert not handled.has(handled.before)


@given(OFFSETS)
def test_a_commit_brings_it_back(offsets: list[int]) -> None:
    handled = Handled(before=10)
    for offset in offsets:
        handled = handled.with_(offset)

    assert Handled.read(handled.before, handled.metadata()) == handled


@given(OFFSETS, st.integers(0, 60))
def test_what_the_topic_has_dropped_is_forgotten(offsets: list[int], first: int) -> None:
    handled = Handled(before=10)
    for offset in offsets:
        handled = handled.with_(offset)

    left = handled.from_(first)

    assert left.before >= max(first, handled.before if first <= handled.before else first)
    assert all(left.has(offset) == handled.has(offset) for offset in range(max(first, 10), 61))


def test_what_another_package_committed_is_its_offset_alone() -> None:
    assert Handled.read(7, '{"o":1,"a":[],"n":0,"u":[]}') == Handled(before=7)
    assert Handled.read(7, None) == Handled(before=7)
