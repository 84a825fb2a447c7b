"""Searches the policies of `Scaling` for the cheapest one that keeps an SLO under several loads, whatever the seed."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from fargate_workers_toolkit.aws_behaviour import Bounds
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.recommendation.candidates import MOST_TASKS, candidates
from fargate_workers_toolkit.recommendation.reaction import fewest, refuse_too_short, warm_tasks
from fargate_workers_toolkit.recommendation.trials import Question, Results, Trial, Trials
from fargate_workers_toolkit.simulation import (
    DEFAULTS,
    Assumptions,
    ForLatency,
    OnBacklogPerTask,
    OnQueueDepth,
    Policy,
    Present,
    Result,
    ScaledService,
    Warm,
    missed_percent,
)
from fargate_workers_toolkit.simulation.loads import Load

# The search uses one seed. So many of the cheapest, and if none of them the next ones, are tried with all.
SEEDS = 5
FINALISTS = 8
ROUND = 24

# Percent of messages by which a policy may miss more than enough tasks that always run: chance.
TOLERANCE = 0.001
# What costs this much less is worth a change; less is chance.
WORTH = 0.02
# So much more may cost what leaves more room: one day cannot show more.
SLACK = 0.02
# The loads are tried with so many times the messages, too.
BUSIER = 1.5
# Of mean work times, from which on they are of two kinds of jobs.
MIXED = 5
# Reversals a day that are worth a word.
RESTLESS = 50

DAY = 86_400

LoadsOf = Callable[[int], Sequence[Load]]
"""The loads, for a seed."""

Progress = Callable[[str, int, int], None]
"""Receives what is being done, how much of it is done, and of how much."""


class Outcome(NamedTuple):
    """The outcome of a policy under one load, over all seeds: the worst of what is late, the mean of the rest.

    Args:
        load: The name of the load.
        p99: The age that 99 of 100 messages do not exceed, in seconds.
        missed_percent: Percent of the messages that are too old or lost.
        task_hours: Hours of running tasks.
        cost: Dollars.
        reversals: How often the number of wanted tasks changes its direction.
        peak: The most tasks wanted.
    """

    load: str
    p99: float
    missed_percent: float
    task_hours: float
    cost: float
    reversals: float
    peak: int


class Checked(NamedTuple):
    """The outcome of a policy under a load that it was not chosen by.

    Args:
        outcome: The outcome.
        kept: Whether it misses no more than enough tasks.
    """

    outcome: Outcome
    kept: bool


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The outcomes of a policy under all loads.

    Args:
        policy: The policy.
        kept: Whether it keeps the SLO under every load with every seed.
        results: The results, by seed, then by load.
    """

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
        """Dollars for a mean day of the loads."""
        seconds = sum(result.seconds for result in self.results[0])
        return sum(outcome.cost for outcome in self.outcomes) / seconds * DAY


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The result of a search.

    Args:
        slo: The acceptable age of a message at the end of its work, in seconds.
        seeds: The seeds that finalists were tried with.
        tried: The number of policies tried.
        present: The template's own policy.
        finalists: Those that kept the SLO with all seeds, the cheapest first.
        warm: As many tasks that always run as keep it, tried too; None when no number does.
        unavoidable: By load, percent of the messages that are too old however many tasks run, which is held against
            none.
        rate_limit: Messages a second that the worker keeps to. Defaults to None: it has no limit.
        checks: The outcomes of the best policy under loads that it was not chosen by. Defaults to none.
        work: By load, the mean seconds of work in a message that were assumed. Defaults to none.
    """

    slo: float
    seeds: Sequence[int]
    tried: int
    present: Outlook
    finalists: Sequence[Outlook]
    warm: Outlook | None
    unavoidable: Sequence[float]
    rate_limit: float | None = None
    checks: Sequence[Checked] = ()
    work: Sequence[float] = ()

    @property
    def best(self) -> Outlook | None:
        """A cheaper policy than the template's own, or the only one that keeps the SLO."""
        if not self.finalists:
            return None
        cheapest, present = self.finalists[0], self.present
        is_worth_it = cheapest.cost_per_day <= (1 - WORTH) * present.cost_per_day
        return cheapest if is_worth_it or not present.kept else None

    def assumed(self) -> list[str]:
        """Sentences on the work that the loads assume, and on a mix of two kinds of jobs."""
        if not self.work:
            return []
        names = [outcome.load for outcome in self.present.outcomes]
        each = ", ".join(f"{name} {seconds:.3g} s" for name, seconds in zip(names, self.work, strict=True))
        sentences = [f"Assumed work in a message: {each}. A line of for_latency begins with the longest."]
        if max(self.work) > MIXED * min(self.work):
            sentences.append(
                "These loads are of two kinds of jobs, and one policy must suit both; search with each alone if they "
                "are of two services."
            )
        return sentences

    def traded(self) -> list[str]:
        """Sentences on what more reversals save."""
        best = self.best
        if best is None:
            return []
        days = sum(result.seconds for result in best.results[0]) / DAY
        more = sum(outcome.reversals for outcome in best.outcomes) - sum(
            outcome.reversals for outcome in self.present.outcomes
        )
        if more / days < RESTLESS:
            return []
        saved = self.present.cost_per_day - best.cost_per_day
        return [
            f"It turns {more / days:,.0f} times a day more often than the template's own, to save ${saved:,.2f} a day."
        ]

    def judged(self) -> list[str]:
        """Sentences on the best policy under loads that it was not chosen by."""
        return [] if self.best is None else [_judged(checked, self.slo) for checked in self.checks]

    @property
    def kept(self) -> bool:
        """Whether anything that scales keeps the SLO."""
        return self.present.kept or bool(self.finalists)

    def sentence(self) -> str:
        """The recommendation in one sentence."""
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
    checks: Sequence[Load] = (),
    assumptions: Assumptions = DEFAULTS,
) -> Recommendation:
    """The policy that keeps `slo` under every load at the least cost.

        recommend(read_service(Path("cdk.out")), lambda seed: [built_in("burst", seed=seed)], slo=300).sentence()

    Kept is what misses no more than enough tasks that always run: an outage makes messages late whatever scales. A
    policy is given up at the first load it does not keep. All are tried with `seed`, and the cheapest with those that
    follow: of a seed are made the built-in loads, and how long tasks take to start.

    Args:
        service: The service, as its template has it.
        loads: The loads, for a seed.
        slo: The acceptable age of a message at the end of its work, in seconds.
        policies: The policies to try. Defaults to about 200 around what the loads need, see `candidates`.
        max_tasks: The most tasks of those 200. Defaults to as many as the loads need.
        seed: The first seed. Defaults to 0.
        seeds: The number of seeds with which a policy must keep the SLO. Defaults to 5.
        processes: How many work at once, which changes nothing but the time it takes. Defaults to one a processor.
        progress: Receives how far the search is. Defaults to None: nothing does.
        checks: Further loads, such as another day: of policies that cost about the same one that keeps them is better,
            and the result has its outcome. The same loads with half as many messages again are always among them.
        assumptions: What AWS does not promise. Defaults to `DEFAULTS`.

    Raises:
        SimulationError: The service cannot be simulated, or no number of tasks keeps the SLO.
    """
    every_seed = range(seed, seed + seeds)
    by_seed = [loads(each) for each in every_seed]
    for load in by_seed[0]:
        refuse_too_short(load, slo=slo)
    checks = [*checks, *(_busier(load) for load in by_seed[0])]
    question = Question(
        service=service,
        loads=by_seed,
        seeds=every_seed,
        slo=slo,
        checks=checks,
        assumptions=assumptions,
    )
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
        finalists = search.finalists(tried)
        finalists, checked = search.roomy(finalists, policies=tried)
        return Recommendation(
            slo=slo,
            seeds=every_seed,
            tried=len(tried),
            present=present,
            finalists=finalists,
            checks=checked,
            work=[float(np.average(load.work_by_second, weights=load.arrivals)) for load in by_seed[0]],
            warm=warm,
            unavoidable=search.unavoidable,
            rate_limit=service.task.rate_limit,
        )


class _Search:
    """One search.

    Attributes:
        unavoidable: See `Recommendation`.
    """

    def __init__(self, trials: Trials, question: Question, *, plenty: int, progress: Progress | None) -> None:
        self._trials = trials
        self._question = question
        self._plenty = plenty
        self._told = progress
        self._seeds = range(len(question.seeds))
        self._progress("Looking at the loads", 0, 2)
        # The worker's own limit is no excuse: it can be raised.
        self._enough = Warm(tasks=plenty, limited=False)
        results = self._results(self._enough)
        missed = [[missed_percent(result) for result in of_seed] for of_seed in results]
        self.unavoidable = [max(of_load) for of_load in zip(*missed, strict=True)]
        self._allowed = [[percent + TOLERANCE for percent in of_seed] for of_seed in missed]

    def outlook(self, policy: Policy) -> Outlook:
        """The outlook of a policy, tried with all seeds to the end."""
        return self._outlook(policy, self._results(policy))

    def warm(self, least: int) -> Outlook | None:
        """The fewest tasks, from `least` on, that always run and keep the SLO."""
        self._progress("Looking at the loads", 1, 2)
        tried: dict[int, Outlook] = {}

        def suffice(tasks: int) -> bool:
            trial = Trial(policy=Warm(tasks=tasks), seeds=self._seeds, allowed=self._allowed)
            tried[tasks] = self._outlook(trial.policy, self._trials.run([trial])[0])
            return tried[tasks].kept

        found = fewest(least, self._plenty, suffice=suffice)
        return None if found is None else tried[found]

    def finalists(self, tried: Sequence[Policy]) -> list[Outlook]:
        """The policies that keep the SLO with all seeds, of those cheapest with the first seed; the cheapest first."""
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

    def roomy(self, finalists: Sequence[Outlook], *, policies: Sequence[Policy]) -> tuple[list[Outlook], list[Checked]]:
        """The finalists, first the one with the most room that costs hardly more than the cheapest and keeps checks.

        Room is at the bottom, too: fewer tasks at least than the template has are for a policy that saves by them.
        Those with the most room are tried first, and the others only if none of them keeps all checks.
        """
        if not finalists:
            return [], []
        cheapest = finalists[0]
        most = cheapest.task_hours * (1 + SLACK)
        tried = {outlook.policy: outlook for outlook in finalists}
        near = [outlook.policy for outlook in finalists if outlook.task_hours <= most]
        maximums = sorted({self._bounds(policy).maximum for policy in policies})
        least = self._question.service.bounds.minimum
        near += _raised(cheapest.policy, least)
        every = near + [wider for policy in near for tasks in maximums for wider in _wider(policy, tasks)]
        allowed = [missed_percent(result) + TOLERANCE for result in self._checks([self._enough])[0]]

        def checked(results: Sequence[Result]) -> list[Checked]:
            pairs = zip(results, allowed, strict=True)
            return [Checked(_outcome([result]), missed_percent(result) <= most) for result, most in pairs]

        def room(policy: Policy) -> tuple[float, ...]:
            bounds = self._bounds(policy)
            return bounds.minimum < least, -bounds.maximum, -bounds.minimum

        def merit(each: tuple[Outlook, list[Checked]]) -> tuple[float, ...]:
            missed = sum(not check.kept for check in each[1])
            return missed, *room(each[0].policy), round(each[0].task_hours, 3)

        rated: list[tuple[Outlook, list[Checked]]] = []
        every = list(dict.fromkeys([*(outlook.policy for outlook in finalists), *every]))
        for _, group in groupby(sorted(every, key=room), key=room):
            rooms = [each for each in self._tried(list(group), tried) if each.kept and each.task_hours <= most]
            checks = self._checks([outlook.policy for outlook in rooms])
            rated += [(outlook, checked(found)) for outlook, found in zip(rooms, checks, strict=True)]
            if any(all(check.kept for check in found) for _, found in rated):
                break
        best, found = min(rated, key=merit)
        return [best, *(outlook for outlook in finalists if outlook is not best)], found

    def _tried(self, policies: Sequence[Policy], tried: Mapping[Policy, Outlook]) -> list[Outlook]:
        """The outlooks of policies with all seeds; only those not tried yet are tried."""
        new = [policy for policy in policies if policy not in tried]
        results = self._run(
            "Giving the cheapest more room",
            [Trial(policy=policy, seeds=self._seeds, allowed=self._allowed) for policy in new],
        )
        found = {policy: self._outlook(policy, each) for policy, each in zip(new, results, strict=True)}
        return [tried[policy] if policy in tried else found[policy] for policy in policies]

    def _bounds(self, policy: Policy) -> Bounds:
        return policy.applied(self._question.service).bounds

    def _checks(self, policies: Sequence[Policy]) -> list[Sequence[Result]]:
        trials = [Trial(policy=policy, seeds=[0], checks=True) for policy in policies]
        return [results[0] for results in self._run("Checking by other loads", trials)]

    def _cheapest(self, policies: Sequence[Policy], known: dict[Policy, Results]) -> list[Policy]:
        """The cheapest that keep the SLO with the first seed.

        A policy is given up once it must cost more than enough others that came rounds before it, however many
        processes there are.

        Args:
            policies: The policies to try.
            known: The results of those that were tried to the end, here or before.
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


def _judged(checked: Checked, slo: float) -> str:
    load, missed, cost = checked.outcome.load, checked.outcome.missed_percent, checked.outcome.cost
    if checked.kept:
        return f"Judged by {load}: it keeps {slo:g} s, for ${cost:,.2f}."
    return f"Judged by {load}: {missed:.2g} % are too old or lost, for ${cost:,.2f}."


def _wider(policy: Policy, tasks: int) -> Iterator[Policy]:
    """The same policy with more tasks at most."""
    if isinstance(policy, ForLatency | OnQueueDepth | OnBacklogPerTask) and policy.max_tasks < tasks:
        yield replace(policy, max_tasks=tasks)


def _raised(policy: Policy, tasks: int) -> Iterator[Policy]:
    """The same policy with more tasks at least."""
    if (
        isinstance(policy, ForLatency | OnQueueDepth | OnBacklogPerTask)
        and policy.min_tasks < tasks <= policy.max_tasks
    ):
        yield replace(policy, min_tasks=tasks)


def _busier(load: Load) -> Load:
    """The load with half as many messages again, spread as they are."""
    so_far = np.floor(np.cumsum(load.arrivals) * BUSIER).astype(np.int64)
    return replace(load, name=f"{load.name} x {BUSIER:g}", arrivals=np.diff(so_far, prepend=0))


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
