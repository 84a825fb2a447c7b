"""Searches step scaling policies for one that keeps an SLO under several loads at the least cost."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from fargate_workers_toolkit.semantics.cooldown import Bounds
from fargate_workers_toolkit.semantics.step_scaling import Step, StepPolicy
from fargate_workers_toolkit.simulation.limits import missed_percent
from fargate_workers_toolkit.simulation.load import Load
from fargate_workers_toolkit.simulation.model import Alarm, Metric, Query, ScaledService
from fargate_workers_toolkit.simulation.reaction import refuse_too_short, warm_tasks
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

# What is tried. Depths: shares of the messages that one task works off within the SLO.
DEPTHS = (0.05, 0.15, 0.4)
OUT_TASKS = (1, 2, 5, 10)
OUT_COOLDOWNS = (60, 120)
IN_PERCENTS = (10, 25)
IN_COOLDOWNS = (120, 300, 600)

# A backlog of so many times the depth adds so many times the tasks.
GROWTH = (1, 3, 10)

# Percent of messages by which a policy may miss more than enough tasks that always run: chance.
TOLERANCE = 0.001


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A policy on the visible messages.

    depth: Messages from which on tasks are added. out_tasks: How many; 3 and 10 times as many at such multiples.
    in_percent: Of the tasks, removed while no message waits. Cooldowns are in seconds.
    """

    depth: int
    out_tasks: int
    out_cooldown: float
    in_percent: int
    in_cooldown: float

    def applied(self, service: ScaledService) -> ScaledService:
        """The service, scaled by this policy alone."""
        ends = [*((growth - 1) * self.depth for growth in GROWTH[1:]), float("inf")]
        growing = [
            Step(adjustment=growth * self.out_tasks, lower=(growth - 1) * self.depth, upper=end)
            for growth, end in zip(GROWTH, ends, strict=True)
        ]
        shrinking = [Step(adjustment=-self.in_percent, upper=0)]
        visible = Query(metrics={"visible": Metric(source="visible")})
        return replace(
            service,
            steps={
                "Out": StepPolicy(adjustment_type="ChangeInCapacity", steps=growing, cooldown=self.out_cooldown),
                "In": StepPolicy(adjustment_type="PercentChangeInCapacity", steps=shrinking, cooldown=self.in_cooldown),
            },
            alarms=[
                _alarm("Deep", visible, "GreaterThanOrEqualToThreshold", self.depth, "Out"),
                _alarm("Empty", visible, "LessThanOrEqualToThreshold", 0, "In"),
            ],
            tracking=(),
            planner=None,
        )

    def sentence(self) -> str:
        tasks = "task" if self.out_tasks == 1 else "tasks"
        more = ", ".join(f"{growth * self.out_tasks} from {growth * self.depth:,}" for growth in GROWTH[1:])
        return (
            f"Add {self.out_tasks} {tasks} from {self.depth:,} visible messages on ({more}), cooldown "
            f"{self.out_cooldown:g} s; remove {self.in_percent} % of them at none, cooldown {self.in_cooldown:g} s."
        )


Progress = Callable[[Sequence[Candidate]], Iterable[Candidate]]


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """`candidate`: None when no policy keeps the SLO. `results`: of it, one a load. `warm`: how many tasks that always
    run would keep it while nothing fails.
    """

    slo: float
    candidate: Candidate | None
    results: Sequence[Result]
    warm: int

    @property
    def task_hours(self) -> float:
        return sum(result.task_hours for result in self.results)

    def sentence(self) -> str:
        if self.candidate is None:
            return f"No policy that was tried keeps {self.slo:g} s; {self.warm} tasks that always run would."
        return self.candidate.sentence()


def candidates(loads: Sequence[Load], *, slo: float, concurrency: int) -> list[Candidate]:
    """All that are tried, none twice."""
    work = max(float(np.mean(load.work_seconds)) for load in loads)
    each = slo * concurrency / work
    grid = product(DEPTHS, OUT_TASKS, OUT_COOLDOWNS, IN_PERCENTS, IN_COOLDOWNS)
    return list(
        dict.fromkeys(
            Candidate(
                depth=max(round(share * each), 1),
                out_tasks=out_tasks,
                out_cooldown=out_cooldown,
                in_percent=in_percent,
                in_cooldown=in_cooldown,
            )
            for share, out_tasks, out_cooldown, in_percent, in_cooldown in grid
        )
    )


def recommend(
    service: ScaledService, loads: Sequence[Load], *, slo: float, seed: int = 0, progress: Progress = iter
) -> Recommendation:
    """The policy of the fewest task-hours that keeps `slo` under every load.

    Kept is what misses no more than enough tasks that always run: an outage makes messages late whatever scales. A
    candidate is given up at the first load it does not keep, or when it costs more than the best so far.

    progress: Passes the candidates on and may tell how far they are: `rich.progress.track`. Default: nothing.
    Raises SimulationError for an SLO that no number of tasks keeps.
    """
    for load in loads:
        refuse_too_short(load, slo=slo)
    needed = [warm_tasks(load, slo=slo, concurrency=service.task.concurrency) for load in loads]
    warm = max((tasks for tasks in needed if tasks is not None), default=0)
    plenty = _fixed(service, max(warm, service.bounds.maximum))
    allowed = [missed_percent(simulate(plenty, load, slo=slo, seed=seed)) + TOLERANCE for load in loads]
    best: Candidate | None = None
    results: list[Result] = []
    hours = float("inf")
    for candidate in progress(candidates(loads, slo=slo, concurrency=service.task.concurrency)):
        scaled, tried, spent = candidate.applied(service), list[Result](), 0.0
        for load, unavoidable in zip(loads, allowed, strict=True):
            result = simulate(scaled, load, slo=slo, seed=seed)
            spent += result.task_hours
            if missed_percent(result) > unavoidable or spent >= hours:
                break
            tried.append(result)
        else:
            best, results, hours = candidate, tried, spent
    return Recommendation(slo=slo, candidate=best, results=results, warm=warm)


def _fixed(service: ScaledService, tasks: int) -> ScaledService:
    return replace(
        service,
        bounds=Bounds(tasks, tasks),
        initial_tasks=tasks,
        steps={},
        alarms=(),
        tracking=(),
        scheduled=(),
        planner=None,
    )


def _alarm(name: str, query: Query, comparison: str, threshold: float, policy: str) -> Alarm:
    return Alarm(name=name, query=query, comparison=comparison, threshold=threshold, policies=[policy])
