"""An hour that has something of everything: a burst, misses, steps both ways, and a policy at its maximum."""

import numpy as np

from fargate_workers_toolkit.reports.study import Study
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.simulate import simulate
from tests.toolkit.simulation.services import article


def study(
    service: ScaledService | None = None, *, title: str = "cdk.out", load: str = "waves", slo: float = 60
) -> Study:
    work = Load(name=load, arrivals=np.repeat(np.array([5, 60, 5], dtype=np.int64), 1200), work_seconds=0.5)
    service = service or article(bounds=(1, 12))
    return Study(title=title, service=service, load=work, result=simulate(service, work, slo=slo))


def renamed(name: str) -> ScaledService:
    """A service of which everything is called `name`."""
    service = article(bounds=(1, 12))
    alarm = service.alarms[0]
    return type(service)(
        name=name,
        bounds=service.bounds,
        initial_tasks=service.initial_tasks,
        steps={name: service.steps["Out"]},
        alarms=[
            type(alarm)(
                name=name, query=alarm.query, comparison=alarm.comparison, threshold=alarm.threshold, policies=[name]
            )
        ],
    )
