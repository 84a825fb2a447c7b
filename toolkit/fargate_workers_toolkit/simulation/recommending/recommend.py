"""Searches the policies of `Scaling` for the cheapest one that keeps an SLO under several loads, whatever the seed."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.limits import missed_percent
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import ScaledService
from fargate_workers_toolkit.simulation.reaction import fewest, refuse_too_short, warm_tasks
from fargate_workers_toolkit.simulation.recommending.candidates import MOST_TASKS, candidates
from fargate_workers_toolkit.simulation.recommending.policies import Policy, Present, Warm
from fargate_workers_toolkit.simulation.recommending.trials import Question, Results, Trial, Trials
from fargate_workers_toolkit.simulation.result import Result

# The search uses one seed. So many of the cheapest, and if none of them the next ones, are tried with all.
SEEDS = 5
FINALISTS = 8
ROUND = 24

# Percent of messages by which a policy may miss more than enough tasks that always run: chance.
TOLERANCE = 0.001
# What costs this much less is worth a change; less is chance.
WORTH = 0.02

DAY = 86_400

LoadsOf = Callable[[int], Sequence[Load]]
"""The loads, for a seed."""

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""


class Outcome(NamedTuple):
    """Under one load, over all seeds: the worst of what is late, the mean of the rest."""

    load: str
    p99: float
    missed_percent: float
    task_hours: float
    cost: float
    reversals: float
    peak: int


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What comes of a policy. `kept`: whether it keeps the SLO under every load with every seed."""

    policy: Policy
    kept: bool
    results: Results = field(repr=False)

    @property
    def outcomes(self) -> list[Outcome]:
        return [_outcome(of_load) for of_load in zip(*self.results, strict=True)]

    @property
    def task_hours(self) -> float:
        return sum(outcome.task_hours for outcome in self.outcomes)

    @property
    def cost_per_day(self) -> float:
        """In dollars, of a mean day of the loads."""
        seconds = sum(result.seconds for result in self.results[0])
        return sum(outcome.cost for outcome in self.outcomes) / seconds * DAY


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """What was found.

    present: The template's own policy. best: The cheapest that keeps the SLO; None when none does.
    finalists: Those that kept it with all seeds, the cheapest first.
    warm: How many tasks that always run keep it, tried too; None when no number does.
    unavoidable: By load, percent of the messages that are too old however many tasks run, which is held against none.
    rate_limit: Messages a second that the worker keeps to.
    """

    slo: float
    seeds: Sequence[int]
    tried: int
    present: Outlook
    finalists: Sequence[Outlook]
    warm: Outlook | None
    unavoidable: Sequence[float]
    rate_limit: float | None = None

    @property
    def best(self) -> Outlook | None:
        """A cheaper policy than the template's own, or the only one that keeps the SLO."""
        if not self.finalists:
            return None
        cheapest, present = self.finalists[0], self.present
        is_worth_it = cheapest.cost_per_day <= (1 - WORTH) * present.cost_per_day
        return cheapest if is_worth_it or not present.kept else None

    @property
    def kept(self) -> bool:
        """Whether anything that scales keeps the SLO."""
        return self.present.kept or bool(self.finalists)

    def sentence(self) -> str:
        best, present = self.best, self.present
        if best is not None and present.kept:
            saved = 1 - best.cost_per_day / present.cost_per_day
            return (
                f"The template's own policy keeps {self.slo:g} s, but {best.policy.line} does so for "
                f"{_dollars(best)} a day instead of {_dollars(present)}, {saved:.0%} less."
            )
        if present.kept:
            return (
                f"The template's own policy keeps {self.slo:g} s for {_dollars(present)} a day, and none of "
                f"{self.tried} others does so for noticeably less; leave it."
            )
        if best is not None:
            worst = max(present.outcomes, key=lambda outcome: outcome.missed_percent)
            return (
                f"The template's own policy lets {worst.missed_percent:.3g} % of the messages of {worst.load} become "
                f"older than {self.slo:g} s; {best.policy.line} keeps that, for {_dollars(best)} a day instead of "
                f"{_dollars(present)}."
            )
        if self.warm is not None:
            return (
                f"None of {self.tried} policies keeps {self.slo:g} s; {self.warm.policy.line} would, for "
                f"{_dollars(self.warm)} a day."
            )
        # Enough tasks without the limit keep it: that is what all are measured by.
        return (
            f"None of {self.tried} policies keeps {self.slo:g} s, and no number of tasks would: the worker's own limit "
            f"of {self.rate_limit:g} messages a second is too low for these loads; raise it."
        )


def recommend(
    service: ScaledService,
    loads: LoadsOf,
    *,
    slo: float,
    policies: Sequence[Policy] | None = None,
    max_tasks: int | None = None,
    seed: int = 0,
    seeds: int = SEEDS,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Recommendation:
    """The policy that keeps `slo` under every load at the least cost.

        recommend(read_service(Path("cdk.out")), lambda seed: [built_in("burst", seed=seed)], slo=300).sentence()

    Kept is what misses no more than enough tasks that always run: an outage makes messages late whatever scales. A
    policy is given up at the first load it does not keep. All are tried with `seed`, and the cheapest with those that
    follow: of a seed are made the built-in loads, and how long tasks take to start.

    policies: What is tried. Default: about 200 around what the loads need, see `candidates`.
    max_tasks: Policies with more tasks are not among these 200. Default: as many as the loads need.
    seeds: With how many a policy must keep the SLO. Default: 5.
    processes: How many work at once, which changes nothing but the time it takes. Default: one a processor.
    Raises SimulationError for what cannot be simulated, and for an SLO that no number of tasks keeps.
    """
    every_seed = range(seed, seed + seeds)
    by_seed = [loads(each) for each in every_seed]
    for load in by_seed[0]:
        refuse_too_short(load, slo=slo)
    question = Question(service=service, loads=by_seed, seeds=every_seed, slo=slo)
    least = max(
        warm_tasks(load, slo=slo, concurrency=service.task.concurrency) or 1 for of_seed in by_seed for load in of_seed
    )
    if least > MOST_TASKS:
        raise SimulationError(
            f"To keep {slo:g} s, one of the loads needs {least:,} tasks at once, and ECS runs {MOST_TASKS:,} in a "
            "service; spread it over several queues and services."
        )
    tried = policies or candidates(service, by_seed[0], slo=slo, warm=least, max_tasks=max_tasks)
    plenty = max(2 * least, service.bounds.maximum, *(policy.applied(service).bounds.maximum for policy in tried))
    with Trials(question, processes=processes) as trials:
        search = _Search(trials, question, plenty=plenty, progress=progress)
        present, warm = search.outlook(Present()), search.warm(least)
        return Recommendation(
            slo=slo,
            seeds=every_seed,
            tried=len(tried),
            present=present,
            finalists=search.finalists(tried),
            warm=warm,
            unavoidable=search.unavoidable,
            rate_limit=service.task.rate_limit,
        )


class _Search:
    """One search. `unavoidable`: see Recommendation."""

    def __init__(self, trials: Trials, question: Question, *, plenty: int, progress: Progress | None) -> None:
        self._trials = trials
        self._question = question
        self._plenty = plenty
        self._told = progress
        self._seeds = range(len(question.seeds))
        self._progress("Looking at the loads", 0, 2)
        # The worker's own limit is no excuse: it can be raised.
        results = self._results(Warm(tasks=plenty, limited=False))
        missed = [[missed_percent(result) for result in of_seed] for of_seed in results]
        self.unavoidable = [max(of_load) for of_load in zip(*missed, strict=True)]
        self._allowed = [[percent + TOLERANCE for percent in of_seed] for of_seed in missed]

    def outlook(self, policy: Policy) -> Outlook:
        """With all seeds, to the end."""
        return self._outlook(policy, self._results(policy))

    def warm(self, least: int) -> Outlook | None:
        """The fewest tasks, from `least` on, that always run and keep the SLO."""
        self._progress("Looking at the loads", 1, 2)
        tried: dict[int, Outlook] = {}

        def suffice(tasks: int) -> bool:
            tried[tasks] = self.outlook(Warm(tasks=tasks))
            return tried[tasks].kept

        found = fewest(least, self._plenty, suffice=suffice)
        return None if found is None else tried[found]

    def finalists(self, tried: Sequence[Policy]) -> list[Outlook]:
        """Of the cheapest with the first seed, those that keep the SLO with all, the cheapest first."""
        left, known = list(tried), dict[Policy, Results]()
        while some := self._cheapest(left, known):
            others = self._run(
                "Trying the cheapest with other seeds",
                [Trial(policy=policy, seeds=self._seeds[1:], allowed=self._allowed) for policy in some],
            )
            outlooks = [
                self._outlook(policy, [*known[policy], *more]) for policy, more in zip(some, others, strict=True)
            ]
            kept = [outlook for outlook in outlooks if outlook.kept]
            if kept:
                return sorted(kept, key=lambda outlook: round(outlook.task_hours, 3))
            left = [policy for policy in left if policy not in some]
        return []

    def _cheapest(self, policies: Sequence[Policy], known: dict[Policy, Results]) -> list[Policy]:
        """The cheapest that keep the SLO with the first seed. `known`: what was tried to the end, here or before.

        A policy is given up once it must cost more than enough others that came rounds before it, however many
        processes there are.
        """

        def keeping() -> list[tuple[float, Policy]]:
            # Sorting is stable: of two that cost the same, the plainer one comes first.
            hours = [(_hours(known[policy]), policy) for policy in policies if self._keep(known.get(policy, [[]]))]
            return sorted(hours, key=lambda each: each[0])[:FINALISTS]

        for begin in range(0, len(policies), ROUND):
            best = keeping()
            most = best[-1][0] if len(best) == FINALISTS else math.inf
            some = [policy for policy in policies[begin : begin + ROUND] if policy not in known]
            trials = [Trial(policy=policy, seeds=[0], allowed=self._allowed, most_hours=most) for policy in some]
            results = self._run("Trying policies", trials, before=begin, of=len(policies))
            known.update((policy, found) for policy, found in zip(some, results, strict=True) if found)
        return [policy for _, policy in keeping()]

    def _progress(self, what: str, done: int, of: int) -> None:
        if self._told is not None:
            self._told(what, done, of)

    def _results(self, policy: Policy) -> Results:
        by_seed = self._trials.run([Trial(policy=policy, seeds=[seed]) for seed in self._seeds])
        return [results[0] for results in by_seed]

    def _run(self, what: str, trials: Sequence[Trial], *, before: int = 0, of: int | None = None) -> list[Results]:
        done = iter(range(before + 1, before + len(trials) + 1))
        self._progress(what, before, of or len(trials))
        return self._trials.run(trials, tried=lambda: self._progress(what, next(done), of or len(trials)))

    def _outlook(self, policy: Policy, results: Results) -> Outlook:
        return Outlook(policy=policy, kept=len(results) == len(self._seeds) and self._keep(results), results=results)

    def _keep(self, results: Results) -> bool:
        """Whether these results, of the first seeds, are complete and miss no more than is allowed."""
        return all(
            len(of_seed) == len(allowed)
            and all(missed_percent(result) <= most for result, most in zip(of_seed, allowed, strict=True))
            for of_seed, allowed in zip(results, self._allowed, strict=False)
        )


def _outcome(results: Sequence[Result]) -> Outcome:
    def mean(values: Iterator[float]) -> float:
        return sum(values) / len(results)

    return Outcome(
        load=results[0].load,
        p99=max(result.p99 for result in results),
        missed_percent=max(missed_percent(result) for result in results),
        task_hours=mean(result.task_hours for result in results),
        cost=mean(result.cost for result in results),
        reversals=mean(result.reversals for result in results),
        peak=max(result.peak for result in results),
    )


def _hours(results: Results) -> float:
    return round(sum(result.task_hours for result in results[0]), 3)


def _dollars(outlook: Outlook) -> str:
    return f"${outlook.cost_per_day:,.2f}"
