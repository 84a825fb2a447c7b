"""The arithmetic of steps: from depths of a queue to what Application Auto Scaling is told."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fargate_workers.scaling.step_scaling import growing_steps, halving, steps_from_intervals
from fargate_workers_planner.steps import adjustments


@dataclass(frozen=True)
class Interval:
    """A ScalingInterval, without a round trip to the CDK."""

    change: int
    lower: int | None = None
    upper: int | None = None


rising_steps = st.lists(st.tuples(st.integers(2, 10**6), st.integers(1, 500)), min_size=1, max_size=20).map(
    lambda pairs: dict(zip(sorted({d for d, _ in pairs}), sorted({a for _, a in pairs}), strict=False))
)


def grow(steps: dict[int, int], *, min_tasks: int = 1, max_tasks: int = 1_000, trim: bool = False) -> object:
    return growing_steps(steps, min_tasks=min_tasks, max_tasks=max_tasks, trim=trim)


def test_the_step_at_one_message_wakes_and_adds_nothing() -> None:
    assert grow({1: 1, 100: 2}) == [(100, 2)]


def test_a_step_that_reaches_max_tasks_in_part_is_kept() -> None:
    assert grow({100: 2, 500: 5}, max_tasks=4) == [(100, 2), (500, 5)]


def test_trimming_stops_at_the_step_that_fills_the_room() -> None:
    assert grow({100: 2, 500: 5, 2_000: 10}, max_tasks=3, trim=True) == [(100, 2)]


def test_without_room_nothing_grows() -> None:
    assert grow({100: 2}, min_tasks=0, max_tasks=1, trim=True) == []


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ({500: 5, 100: 2}, "100 comes after 500; write the depths in rising order"),
        ({0: 1, 100: 2}, "an empty queue needs no task"),
        ({1: 3, 100: 5}, "let it say 1"),
        ({1: 1}, "none of them makes the service grow"),
        ({}, "none of them makes the service grow"),
        ({100: -1}, "scaling in needs no steps"),
        ({100: 5, 500: 2}, "let them rise"),
        ({100: 2, 500: 2}, "let them rise"),
    ],
)
def test_steps_which_cannot_work_are_refused(steps: dict[int, int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        grow(steps)


def test_a_step_beyond_max_tasks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the step at 500 \(\+5\) is never needed"):
        grow({100: 1, 500: 5}, max_tasks=2)


def test_more_steps_than_aws_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="there are 21 of them; AWS takes 20"):
        grow({100 * n: n for n in range(1, 22)})


def test_adjustments_are_relative_to_the_first_step() -> None:
    found = adjustments([(100, 2), (500, 5), (2_000, 10)])
    assert [(each.lower, each.upper, each.change) for each in found] == [
        (0, 400, 2),
        (400, 1_900, 5),
        (1_900, None, 10),
    ]


@given(rising_steps)
def test_adjustments_have_no_gap_and_no_overlap_and_rise_to_an_open_end(steps: dict[int, int]) -> None:
    found = adjustments(list(steps.items()))
    assert found[0].lower == 0
    assert found[-1].upper is None
    for one, other in pairwise(found):
        assert one.upper == other.lower
        assert one.change < other.change
    assert all(each.upper is None or each.lower < each.upper for each in found)


@given(rising_steps, st.integers(2, 10**7))
def test_every_depth_gets_what_its_deepest_step_says(steps: dict[int, int], depth: int) -> None:
    first = min(steps)
    applied = [
        each.change
        for each in adjustments(list(steps.items()))
        if each.lower <= depth - first and (each.upper is None or depth - first < each.upper)
    ]
    assert applied == [add for at_least, add in steps.items() if at_least <= depth][-1:]


@given(rising_steps, st.integers(0, 5), st.integers(1, 600))
def test_trimmed_steps_are_the_first_ones_and_only_the_last_fills_the_room(
    steps: dict[int, int], min_tasks: int, more: int
) -> None:
    room = min_tasks + more - max(min_tasks, 1)
    kept = growing_steps(steps, min_tasks=min_tasks, max_tasks=min_tasks + more, trim=True)
    assert kept == list(steps.items())[: len(kept)]
    assert all(add < room for _, add in kept[:-1])
    assert bool(kept) == (room > 0)


def capacity(running: int, max_tasks: int) -> int:
    return [keep for at_least, keep in halving(max_tasks) if at_least <= running][-1]


@given(st.integers(2, 1_500), st.data())
def test_halving_stops_some_tasks_but_never_more_than_half(max_tasks: int, data: st.DataObject) -> None:
    running = data.draw(st.integers(2, max_tasks))
    assert running / 2 <= capacity(running, max_tasks) < running


@given(st.integers(2, 10**6))
def test_halving_fits_into_one_policy_and_ends_with_one_task(max_tasks: int) -> None:
    ladder = halving(max_tasks)
    assert len(ladder) <= 20
    assert ladder[0] == (2, 1)
    assert all(one < other for one, other in pairwise(ladder))


def test_intervals_of_queue_processing_fargate_service_are_understood() -> None:
    intervals = [Interval(change=-1, upper=0), Interval(change=1, lower=100, upper=500), Interval(change=5, lower=500)]
    assert steps_from_intervals(intervals) == {100: 1, 500: 5}


@pytest.mark.parametrize(
    ("intervals", "sentence"),
    [
        ([Interval(change=1, upper=100)], "no lower bound"),
        ([Interval(change=1, lower=10, upper=50), Interval(change=2, lower=100)], "leaves a gap before"),
        ([Interval(change=1, lower=10, upper=200), Interval(change=2, lower=100)], "overlaps"),
        ([Interval(change=1, lower=10, upper=200)], "beyond 200 messages nothing is added"),
    ],
)
def test_intervals_with_holes_are_refused(intervals: list[Interval], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        steps_from_intervals(intervals)
