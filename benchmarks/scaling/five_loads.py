"""for_latency under the five built-in loads of a server, beside other policies: 300 s, 1 to 50 tasks, two seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from benchmarks.report import Check, Row
from benchmarks.scaling.contestants import CONTESTANTS, OURS, Run, most_tasks
from fargate_workers_toolkit.simulation.loads.built_in import built_in
from fargate_workers_toolkit.simulation.model import Queue
from fargate_workers_toolkit.simulation.result import Result

SEEDS = (0, 1)
SERVER_LOADS = ("burst", "diurnal", "outage", "poison", "heavy")

MOST_AVOIDABLE_MISSES = 0.03
MOST_TASK_HOURS = 1_080
MOST_REVERSALS = 64


@dataclass(frozen=True, kw_only=True)
class Score:
    """Sums over the loads of means over the seeds, of a day each.

    avoidable_misses: Percent of the messages, beyond what the most tasks, always running, would have missed too.
    """

    task_hours: float
    reversals: float
    avoidable_misses: float


def queue_of(name: str) -> Queue:
    """A message that fails for an hour must not count as dead: that is the poison load's own matter."""
    return Queue(visibility_timeout=60, max_receive_count=5 if name == "poison" else None)


def results(run: Run) -> dict[str, list[Result]]:
    """By load, one for each seed."""
    return {name: [run(built_in(name, seed=seed), queue_of(name), seed) for seed in SEEDS] for name in SERVER_LOADS}


def score(of: Mapping[str, Sequence[Result]], *, unavoidable: Mapping[str, Sequence[Result]]) -> Score:
    return Score(
        task_hours=sum(mean(result.task_hours for result in of[name]) for name in of),
        reversals=sum(mean(result.reversals for result in of[name]) for name in of),
        avoidable_misses=sum(
            mean(
                max(result.missed_percent - least.missed_percent, 0.0)
                for result, least in zip(of[name], unavoidable[name], strict=True)
            )
            for name in of
        ),
    )


def scores() -> dict[str, Score]:
    """By policy."""
    unavoidable = results(most_tasks)
    return {name: score(results(run), unavoidable=unavoidable) for name, run in CONTESTANTS.items()}


def check() -> Check:
    everybody = scores()
    ours = everybody[OURS]
    return Check(
        measures="for_latency under the five server loads, 300 s",
        rows=[
            # To a thousandth: the fluid engine deals in parts of messages.
            Row(
                name="avoidable misses, percent",
                value=round(ours.avoidable_misses, 3),
                most=MOST_AVOIDABLE_MISSES,
                digits=3,
                beside="of the outage: what waits when it begins",
            ),
            Row(
                name="task-hours",
                value=ours.task_hours,
                most=MOST_TASK_HOURS,
                beside=_told({name: score.task_hours for name, score in everybody.items()}),
            ),
            Row(
                name="reversals a day",
                value=ours.reversals,
                most=MOST_REVERSALS,
                beside=_told({name: score.reversals for name, score in everybody.items()}),
            ),
        ],
        beside={
            name: {
                "avoidable_misses_percent": round(score.avoidable_misses, 3),
                "task_hours": round(score.task_hours, 1),
                "reversals": score.reversals,
            }
            for name, score in everybody.items()
        },
    )


def _told(values: Mapping[str, float]) -> str:
    return "; ".join(f"{name}: {value:,.0f}" for name, value in values.items() if name != OURS)
