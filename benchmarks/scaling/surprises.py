"""What nobody planned for: work that takes four times as long from one second to the next, tasks that start slowly, and
metrics that come late. for_latency under the built-in loads of a server, 300 s.
"""

from collections.abc import Sequence

from benchmarks.report import Check, Row
from benchmarks.scaling.contestants import SLO, most_tasks
from benchmarks.scaling.five_loads import SEEDS, SERVER_LOADS, queue_of, score
from benchmarks.scaling.services import for_latency
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

MOST_OF_HEAVY, MOST_OF_SLOW = 0.1, 0.05
SLOW_LAUNCH = 180
LATE = 180
#: When an outage begins, all that waits is lost, whatever is seen of it and when.
PREDICTABLE = tuple(name for name in SERVER_LOADS if name != "outage")


def days(name: str, *, launch_latency: int | None = None, assumptions: Assumptions | None = None) -> list[Result]:
    """`launch_latency`: As it is told. Default: nothing is."""
    service = for_latency(launch_latency=launch_latency, queue=queue_of(name))
    return [
        simulate(service, built_in(name, seed=seed), slo=SLO, seed=seed, assumptions=assumptions or Assumptions())
        for seed in SEEDS
    ]


def avoidable(names: Sequence[str], of: dict[str, list[Result]]) -> float:
    """Percent of the messages, summed over the loads."""
    unavoidable = {
        name: [most_tasks(built_in(name, seed=seed), queue_of(name), seed) for seed in SEEDS] for name in names
    }
    return score(of, unavoidable=unavoidable).avoidable_misses


def check() -> Check:
    slow, late = Assumptions(launch_median=SLOW_LAUNCH), Assumptions(queue_lag=LATE)
    told = {name: days(name, launch_latency=SLOW_LAUNCH, assumptions=slow) for name in SERVER_LOADS}
    untold = {name: days(name, assumptions=slow) for name in SERVER_LOADS}
    lagging = {name: days(name, assumptions=late) for name in PREDICTABLE}
    return Check(
        measures="What nobody planned for: for_latency, 300 s",
        rows=[
            Row(
                name="work four times as long at once: messages missed, percent",
                value=avoidable(["heavy"], {"heavy": days("heavy")}),
                most=MOST_OF_HEAVY,
                digits=3,
            ),
            Row(
                name=f"tasks that take {SLOW_LAUNCH} s to start, told: avoidable misses under the five loads, percent",
                value=avoidable(SERVER_LOADS, told),
                most=MOST_OF_SLOW,
                digits=3,
                beside=f"not told: {avoidable(SERVER_LOADS, untold):.3f}",
            ),
            Row(
                name=f"SQS's metrics {LATE} s late: avoidable misses under all of them but the outage, percent",
                value=round(avoidable(PREDICTABLE, lagging), 3),
                most=0,
                digits=3,
            ),
        ],
    )
