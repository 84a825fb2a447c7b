"""The simulation of a service under a load."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control import (
    Control,
    FunctionControl,
    KedaControl,
    Planner,
    WorkerPlanner,
    actions_by_minute,
    as_a_function,
)
from fargate_workers_toolkit.simulation.engines import ExactRun, FluidRun
from fargate_workers_toolkit.simulation.invocations import Billed, billed, invocations
from fargate_workers_toolkit.simulation.loads import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.result import Prices, Result
from fargate_workers_toolkit.simulation.track import Track

Engine = Literal["fluid", "exact"]

# They take about 3 GB and 5 minutes.
MOST_EXACT = 20_000_000

DEFAULTS = Assumptions()
PRICES = Prices()


def simulate(
    service: ScaledService,
    load: Load,
    *,
    slo: float,
    engine: Engine = "fluid",
    assumptions: Assumptions = DEFAULTS,
    planner: Planner | None = None,
    deployments: Sequence[int] = (),
    prices: Prices = PRICES,
    seed: int = 0,
) -> Result:
    """The result of a service under a load.

        simulate(read_service(Path("cdk.out")), built_in("burst"), slo=300).p99

    Args:
        service: The service.
        load: The load.
        slo: The acceptable age of a message at the end of its work, in seconds.
        engine: `fluid` for a day in a tenth of a second, `exact` for each message by itself. Defaults to `fluid`.
        assumptions: What AWS does not promise. Defaults to `DEFAULTS`.
        planner: Publishes the custom metrics that the policies follow. Defaults to this project's planner where the
            template names it, else none.
        deployments: The seconds at which a deployment begins. Defaults to none.
        prices: Of Fargate. Defaults to those of Linux on x86 in us-east-1.
        seed: Of all chance; the same seed gives the same result. Defaults to 0.

    Raises:
        SimulationError: The service cannot be simulated under the load.
    """
    if engine == "exact" and load.messages > MOST_EXACT:
        raise SimulationError(
            f"The exact engine follows each message by itself, and {load.messages:,} are too many for it; use the "
            f"fluid one, or a load of at most {MOST_EXACT:,}."
        )
    if engine == "exact" and service.partitions is not None:
        raise SimulationError(
            f"The exact engine knows no partitions, and {service.name} reads a topic; use the fluid one."
        )
    if not slo > 0:
        raise SimulationError(f"An SLO of {slo:g} s cannot be met by anything; make it more than 0.")
    if service.planner is not None and planner is None:
        planner = WorkerPlanner(service.planner, assumptions=assumptions)
    if service.function is not None:
        assumptions = as_a_function(assumptions)
        control = FunctionControl(service, service.function, assumptions=assumptions)
    elif service.keda is not None:
        control = KedaControl(service, service.keda, assumptions=assumptions)
    else:
        scheduled = actions_by_minute(service.scheduled, load)
        control = Control(service, assumptions=assumptions, planner=planner, scheduled=scheduled)
    run = FluidRun if engine == "fluid" else ExactRun
    track = run(service, load, control, assumptions=assumptions, seed=seed, deployments=deployments).run()
    return Result.of(
        track,
        service=service,
        load=load.name,
        engine=engine,
        slo=slo,
        prices=prices,
        billed=_billed(service, load, track),
    )


def _billed(service: ScaledService, load: Load, track: Track) -> Billed | None:
    """What Lambda bills, where a function drains the queue."""
    if service.function is None:
        return None
    return billed(
        invocations(load, track.minutes, service.function),
        work_seconds=float(np.average(load.work_by_second, weights=load.sent)),
        side_by_side=service.task.concurrency,
    )
