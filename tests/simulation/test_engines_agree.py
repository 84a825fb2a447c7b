"""Both engines tell the same of the same load, although one knows no single message."""

from dataclasses import replace

import pytest

from benchmarks.scaling.engines import HOURS_SHARE, cases, compared
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.simulation.services import article


@pytest.mark.parametrize("name", cases())
def test_task_hours_within_2_percent_and_p99_within_10_percent_or_3_seconds(name: str) -> None:
    both = compared(cases()[name])
    assert both.hours_apart <= HOURS_SHARE
    assert both.ages_apart <= 1
    assert both.fluid.dead_lettered == pytest.approx(both.exact.dead_lettered, rel=0.02, abs=2)


def test_a_service_that_wakes_from_zero_wakes_in_both() -> None:
    service = replace(article(steps={1: 1}, bounds=(0, 10)), initial_tasks=0)
    load = built_in("drip")
    fluid = simulate(service, load, slo=300)
    exact = simulate(service, load, slo=300, engine="exact")
    assert fluid.task_hours == pytest.approx(exact.task_hours, rel=0.1)
    assert fluid.p99 == pytest.approx(exact.p99, rel=0.1, abs=3)
