"""Simulates a service under a load."""

from collections.abc import Sequence
from typing import Literal

from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.control.control import Control, Planner
from fargate_workers_toolkit.simulation.control.planner import WorkerPlanner
from fargate_workers_toolkit.simulation.engines.exact import ExactRun
from fargate_workers_toolkit.simulation.engines.fluid import FluidRun
from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.result import Prices, Result

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
    """What happens to `load`.

        simulate(read_service(Path("cdk.out")), built_in("burst"), slo=300).p99

    slo: The acceptable age of a message at the end of its work, in seconds.
    engine: "fluid" for a day in a tenth of a second, "exact" for each message by itself.
    planner: Publishes the custom metrics that the policies follow. Default: this project's planner where the template
        names it, else none.
    deployments: The seconds at which a deployment begins.
    seed: Of all chance; the same seed gives the same result.
    Raises SimulationError for what cannot be simulated.
    """
    if engine == "exact" and load.messages > MOST_EXACT:
        raise SimulationError(
            f"The exact engine follows each message by itself, and {load.messages:,} are too many for it; use the "
            f"fluid one, or a load of at most {MOST_EXACT:,}."
        )
    if not slo > 0:
        raise SimulationError(f"An SLO of {slo:g} s cannot be met by anything; make it more than 0.")
    if service.planner is not None and planner is None:
        planner = WorkerPlanner(service.planner, assumptions=assumptions)
    control = Control(service, assumptions=assumptions, planner=planner)
    run = FluidRun if engine == "fluid" else ExactRun
    track = run(service, load, control, assumptions=assumptions, seed=seed, deployments=deployments).run()
    return Result.of(track, service=service, load=load.name, engine=engine, slo=slo, prices=prices)
