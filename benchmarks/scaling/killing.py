"""Messages killed amid their work while tasks are removed, in the exact engine, with the runtime's protection.

A handler is protected once it has run for longer than the drain, and until then it drains; where the last ones did, the
next is protected from its begin. So work that ends within the drain is never killed; of longer work, what has to stop
before its task has learned that is, and comes back.
"""

from benchmarks.report import Check, Row
from benchmarks.scaling.engines import part
from benchmarks.scaling.services import article, for_latency
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.model import Queue, ScaledService, Task
from fargate_workers_toolkit.simulation.simulate import simulate

SEEDS = (0, 1, 2)
# One in so many messages, of as much more work: 40 s, or 200 s on average, of which six in ten outlast the drain.
SHORT, LONG = 80, 400
# Of those killed without protection.
MOST_SHARE = 0.35


def killed(service: ScaledService, *, thinned: int, assumptions: Assumptions) -> int:
    """In hours with bursts, two deployments among them."""
    load = part("burst", begin=52_500, hours=6, thinned=thinned)
    deployments = (3_600, 10_800)
    results = [
        simulate(service, load, slo=900, seed=seed, engine="exact", deployments=deployments, assumptions=assumptions)
        for seed in SEEDS
    ]
    return round(sum(result.killed for result in results))


def services(*, thinned: int, protected: bool) -> list[ScaledService]:
    queue = Queue(visibility_timeout=300)
    task = Task(protected=protected, stop_timeout=120, prefetches=True, backs_off=True)
    return [
        for_latency(acceptable_latency=900, processing_time=0.5 * thinned, queue=queue, task=task),
        article(steps={5: 2, 20: 5}, cooldowns=(60, 60), queue=queue, task=task),
    ]


def check() -> Check:
    even, usual = Assumptions(service_times="fixed"), Assumptions()
    short = sum(killed(each, thinned=SHORT, assumptions=even) for each in services(thinned=SHORT, protected=True))
    protected, without = (
        sum(killed(each, thinned=LONG, assumptions=usual) for each in services(thinned=LONG, protected=protection))
        for protection in (True, False)
    )
    return Check(
        measures="Messages killed amid their work by scaling in and deploying, exact engine",
        rows=[
            Row(name="killed of 40 s of work, all within the drain", value=short, most=0),
            Row(
                name="killed of 200 s, as a share of those without protection",
                value=protected / max(without, 1),
                most=MOST_SHARE,
                digits=2,
                beside=f"{protected} for {without}",
            ),
            Row(name="killed without it, so that there is something to protect", value=without, least=1),
        ],
    )
