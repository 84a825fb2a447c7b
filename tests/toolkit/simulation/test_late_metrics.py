"""Services that may sleep, whatever CloudWatch makes of minutes that ECS or SQS have not reported yet."""

from dataclasses import replace
from typing import Literal

import pytest
from aws_cdk import Duration

from fargate_workers import Scaling
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.built_in import built_in, steady
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.synthesized import synthesized


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScaledService]:
    scalings = {
        "steps": Scaling.on_queue_depth(min_tasks=0, max_tasks=50),
        "backlog": Scaling.on_backlog_per_task(600, min_tasks=0, max_tasks=50),
        "math": Scaling.for_latency(function=False, processing_time=Duration.millis(500), min_tasks=0, max_tasks=50),
    }
    return synthesized(scalings, tmp_path_factory.mktemp("cdk.out"))


def morning(name: str) -> Load:
    """A quarter of a day: long enough for a service to sleep, to wake and to scale."""
    day = built_in(name)
    return replace(day, arrivals=day.arrivals[: 6 * 3_600])


@pytest.mark.parametrize("load", ["drip", "burst"])
@pytest.mark.parametrize("scaling", ["steps", "backlog", "math"])
@pytest.mark.parametrize("service_lag", [60, 120])
def test_a_late_minute_may_be_missing_or_0(
    services: dict[str, ScaledService], load: str, scaling: str, service_lag: float
) -> None:
    def score(late_math: Literal["waits", "zeros"]) -> tuple[float, float, int]:
        assumptions = Assumptions(service_lag=service_lag, late_math=late_math)
        result = simulate(services[scaling], morning(load), slo=300, assumptions=assumptions)
        return result.missed, result.task_hours, result.reversals

    assert score("zeros") == pytest.approx(score("waits"), rel=0.01)


@pytest.mark.parametrize("load", ["drip", "burst"])
def test_steps_do_not_mind_how_late_ecs_is(services: dict[str, ScaledService], load: str) -> None:
    def score(service_lag: float) -> tuple[float, float, int]:
        result = simulate(services["steps"], morning(load), slo=300, assumptions=Assumptions(service_lag=service_lag))
        return result.missed, result.task_hours, result.reversals

    assert score(120) == score(60)


@pytest.mark.parametrize("late_math", ["waits", "zeros"])
@pytest.mark.parametrize("service_lag", [180])
@pytest.mark.parametrize("load", ["drip", "burst"])
@pytest.mark.parametrize("scaling", ["steps", "backlog", "math"])
def test_to_wake_never_lowers_the_capacity(
    services: dict[str, ScaledService],
    load: str,
    scaling: str,
    service_lag: float,
    late_math: Literal["waits", "zeros"],
) -> None:
    assumptions = Assumptions(service_lag=service_lag, late_math=late_math)
    result = simulate(services[scaling], morning(load), slo=300, assumptions=assumptions)
    woken = [event.detail.split(" -> ") for event in result.events if event.kind == "scaled" and "WakeUp" in event.name]
    assert [(before, after) for before, after in woken if int(after) < int(before)] == []
    assert woken or load == "burst"


@pytest.mark.parametrize("starting_point", ["running", "desired"])
@pytest.mark.parametrize("late_math", ["waits", "zeros"])
@pytest.mark.parametrize("service_lag", [120, 180])
def test_target_tracking_does_not_take_late_tasks_for_none(
    services: dict[str, ScaledService],
    service_lag: float,
    late_math: Literal["waits", "zeros"],
    starting_point: Literal["running", "desired"],
) -> None:
    """However late ECS is, steady work asks for no more tasks than when it is in time, but for the delay."""
    load = steady(20, seed=1, seconds=3 * 3_600)

    def peak(assumptions: Assumptions) -> int:
        return max(simulate(services["backlog"], load, slo=300, assumptions=assumptions).minutes.desired[60:])

    usual = Assumptions(starting_point=starting_point)
    assert peak(replace(usual, service_lag=service_lag, late_math=late_math)) <= 2 * peak(usual)
