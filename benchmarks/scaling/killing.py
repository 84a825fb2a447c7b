"""Messages killed in the middle of their work while tasks are removed, in the exact engine."""

from benchmarks.report import Row
from benchmarks.scaling.check import Check
from benchmarks.scaling.contestants import SLO
from benchmarks.scaling.engines import part
from benchmarks.scaling.services import article, for_latency
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, Task
from fargate_workers_toolkit.simulation.simulate import simulate

SEEDS = (0, 1, 2)
# One in so many messages, of as much more work: most outlasts the 30 seconds that ECS leaves a task to stop.
THINNED = 80


def killed(service: ScaledService) -> int:
    """In hours with bursts, two deployments among them."""
    load = part("burst", begin=52_500, hours=6, thinned=THINNED)
    deployments = (3_600, 10_800)
    return round(
        sum(
            simulate(service, load, slo=SLO, seed=seed, engine="exact", deployments=deployments).killed
            for seed in SEEDS
        )
    )


def services(*, protected: bool) -> list[ScaledService]:
    queue, task = Queue(visibility_timeout=300), Task(protected=protected)
    return [
        for_latency(processing_time=0.5 * THINNED, queue=queue, task=task),
        article(steps={5: 2, 20: 5}, cooldowns=(60, 60), queue=queue, task=task),
    ]


def check() -> Check:
    protected, without = (
        sum(killed(service) for service in services(protected=protection)) for protection in (True, False)
    )
    return Check(
        measures="Messages killed amid their work by scaling in and deploying, exact engine",
        rows=[
            Row(name="messages killed, protection on", value=protected, most=0, beside=f"{without} without protection"),
            Row(name="messages killed without it, so that there is something to protect", value=without, least=1),
        ],
    )
