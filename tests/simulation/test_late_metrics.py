"""Services that may sleep, whatever CloudWatch makes of minutes that ECS or SQS have not reported yet."""

from typing import Literal

import pytest
from aws_cdk import Duration

from fargate_workers import Scaling
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.simulation.synthesized import synthesized


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScaledService]:
    scalings = {
        "steps": Scaling.on_queue_depth(min_tasks=0, max_tasks=50),
        "backlog": Scaling.on_backlog_per_task(600, min_tasks=0, max_tasks=50),
        "math": Scaling.for_latency(function=False, processing_time=Duration.millis(500), min_tasks=0, max_tasks=50),
    }
    return synthesized(scalings, tmp_path_factory.mktemp("cdk.out"))


@pytest.mark.parametrize("load", ["drip", "burst"])
@pytest.mark.parametrize("scaling", ["steps", "backlog", "math"])
@pytest.mark.parametrize("service_lag", [60, 120])
def test_a_late_minute_may_be_missing_or_0(
    services: dict[str, ScaledService], load: str, scaling: str, service_lag: float
) -> None:
    def score(late_math: Literal["waits", "zeros"]) -> tuple[float, float, int]:
        assumptions = Assumptions(service_lag=service_lag, late_math=late_math)
        result = simulate(services[scaling], built_in(load), slo=300, assumptions=assumptions)
        return result.missed, result.task_hours, result.reversals

    assert score("zeros") == score("waits")


@pytest.mark.parametrize("load", ["drip", "burst"])
def test_steps_do_not_mind_how_late_ecs_is(services: dict[str, ScaledService], load: str) -> None:
    def score(service_lag: float) -> tuple[float, float, int]:
        result = simulate(services["steps"], built_in(load), slo=300, assumptions=Assumptions(service_lag=service_lag))
        return result.missed, result.task_hours, result.reversals

    assert score(120) == score(60)
