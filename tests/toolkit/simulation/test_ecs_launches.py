"""How ECS launches and stops tasks."""

from random import Random

import pytest

from fargate_workers_toolkit.aws_behaviour.ecs_launches import LaunchBucket, launch_latency, start_pause, stop_order


def test_a_hundred_tasks_launch_at_once_and_twenty_a_second_after_that() -> None:
    bucket = LaunchBucket()
    launches = [bucket.take(10) for _ in range(160)]
    assert launches[:100] == [10.0] * 100
    assert launches[100:120] == pytest.approx([10 + (index + 1) / 20 for index in range(20)])
    assert launches[-1] == pytest.approx(13)


def test_the_bucket_refills_to_its_burst_and_no_further() -> None:
    bucket = LaunchBucket()
    for _ in range(100):
        bucket.take(0)
    assert [bucket.take(1000) for _ in range(101)][-1] == pytest.approx(1000.05)


def test_half_of_the_tasks_launch_within_the_median() -> None:
    random = Random(1)
    latencies = sorted(launch_latency(random, median=40, sigma=0.35) for _ in range(4001))
    assert latencies[2000] == pytest.approx(40, rel=0.02)
    assert latencies[int(4001 * 0.841)] == pytest.approx(40 * 2.718281828**0.35, rel=0.05)


def test_without_spread_every_launch_takes_the_median() -> None:
    assert launch_latency(Random(1), median=30, sigma=0) == 30


def test_the_newest_tasks_stop_first() -> None:
    assert stop_order([10, 30, 20], [False, False, False], count=2) == [1, 2]


def test_protected_tasks_are_passed_over_even_if_fewer_stop_then() -> None:
    assert stop_order([10, 30, 20], [False, True, True], count=2) == [0]


def test_after_failed_starts_ecs_waits_ever_longer_and_27_minutes_at_most() -> None:
    assert [start_pause(failures) / 60 for failures in (1, 2, 3, 5, 6, 20)] == [1, 2, 4, 16, 27, 27]
