"""How long the process stood still, as far as it can tell."""

from fargate_workers_runtime.pipeline.receiving.standstill import Standstill


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_process_that_runs_stands_still_for_no_time() -> None:
    clock = Clock()
    standstill = Standstill(clock=clock)
    for _ in range(100):
        clock.now += 0.6
        standstill.tick()
    assert standstill.seconds == 0


def test_what_is_missing_between_two_ticks_is_counted() -> None:
    clock = Clock()
    standstill = Standstill(clock=clock)
    clock.now += 30.5
    standstill.tick()
    clock.now += 0.5
    standstill.tick()
    assert standstill.seconds == 30


def test_whoever_runs_first_afterwards_sees_it_before_the_next_tick() -> None:
    clock = Clock()
    standstill = Standstill(clock=clock)
    clock.now += 30.5
    assert standstill.seconds == 30
    standstill.tick()
    assert standstill.seconds == 30
