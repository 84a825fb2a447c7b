"""Tasks on Spot, which AWS may take back, in both engines."""

import numpy as np
import pytest

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, Task
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import Engine, simulate
from tests.toolkit.simulation.services import fixed

ENGINES = pytest.mark.parametrize("engine", ["fluid", "exact"])
HOUR = 3600


def taken_back(*, engine: Engine, work_seconds: float, spot_from: int = 0) -> Result:
    """20 protected tasks, always half busy; in an hour each is taken back twice."""
    rate = 10 / work_seconds
    arrivals = np.random.default_rng(0).poisson(rate, 6 * HOUR)
    task = Task(protected=True, prefetches=True, stop_timeout=30, spot_from=spot_from)
    return simulate(
        fixed(20, task=task, queue=Queue(visibility_timeout=120)),
        Load(name="half", arrivals=arrivals, work_seconds=work_seconds),
        slo=600,
        engine=engine,
        assumptions=Assumptions(launch_sigma=0, spot_interruptions=2),
    )


@ENGINES
def test_work_that_outlasts_the_stop_timeout_is_lost_with_its_task_and_done_later(engine: Engine) -> None:
    """20 tasks, 2 an hour, 6 hours: 240 interruptions less those of tasks that start; half of the tasks are busy, and
    exponential work of 60 s outlasts 30 s with a chance of e to the minus a half."""
    result = taken_back(engine=engine, work_seconds=60)
    assert result.killed == pytest.approx(240 * 0.5 * np.exp(-0.5), rel=0.3)
    assert result.residual == 0
    assert result.done + result.left == result.sent


@ENGINES
def test_short_work_is_finished_before_its_task_goes(engine: Engine) -> None:
    assert taken_back(engine=engine, work_seconds=1).killed == 0


@ENGINES
def test_each_task_that_is_taken_back_is_replaced(engine: Engine) -> None:
    result = taken_back(engine=engine, work_seconds=1)
    assert set(result.minutes.desired) == {20}
    assert 15 < min(result.minutes.running) < max(result.minutes.running) == 20


@ENGINES
def test_tasks_on_demand_stay(engine: Engine) -> None:
    result = taken_back(engine=engine, work_seconds=60, spot_from=20)
    assert (result.killed, set(result.minutes.running)) == (0, {20})
