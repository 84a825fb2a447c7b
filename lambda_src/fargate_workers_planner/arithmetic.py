"""How many tasks a queue worker needs. Pure: what was seen goes in, a plan comes out, nothing is remembered in between.

Everything is measured in work. A message is (seconds per message / concurrency) task-seconds, a rate is the tasks that
it keeps busy. Counting messages instead fails when their work changes.

    budget   what a message may wait: the acceptable latency less its own work
    load     what the arrivals keep busy, averaged over the acceptable latency: what is shorter, the queue absorbs
    out      as many tasks as settle at the load, with a part of the budget waiting in the queue; and as many as work
             off what waits in what of the budget is left after a reaction
    in       the highest load of the last minutes and a part of what waits; the smaller a surplus, the longer it stays

A queue that waits within the budget costs nothing, and tasks without work do. So the queue bears what is short, and the
tasks follow slowly, with a weight of one budget and one reaction: slowly enough for a fleet that answers a reaction
late not to swing. Near the most tasks nothing could work it off later: there the queue is kept short.

A latency no longer than a reaction leaves no time to see whether what comes stays:

    out      as many tasks as work off what waits at once, and, when the newest minute jumped, what comes in it too
    in       the highest load of the last minutes and a little more; for even shorter latencies, tasks in reserve
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import ceil, floor
from typing import Literal, NamedTuple

Mode = Literal["balanced", "cost"]

Reason = Literal[
    "steady",
    "more load",
    "work waits",
    "no time to wait",
    "messages are late",
    "messages are not taken",
    "less load",
    "queue is quiet",
    "arrivals unknown",
    "at the limit",
    "groups are taken",
    "group is rebalancing",
]

StartingPoint = Literal["running", "desired"]

#: Seconds of work, and the messages they were for.
Work = tuple[float, float]

#: Seconds until a decision is taken and acted on: counts are a minute old at most, and alarms look once a minute.
DECISION = 110
#: Seconds from the decision until a task works, where it is not set.
LAUNCH_LATENCY = 40
#: Seconds until more tasks help: both of them.
REACTION = DECISION + LAUNCH_LATENCY
#: The least seconds in which to work off what waits, however little latency is acceptable.
LEAST_DRAIN = 60
#: The share of the time left after a reaction in which what waits is worked off: some tasks start later than others.
DRAIN = 0.83
#: Seconds from one plan to the next, for which the running tasks are sure to work.
LOOK = 60.0
#: The share of the budget for which messages wait when the tasks have settled at the load.
STANDING: Mapping[Mode, float] = {"balanced": 0.35, "cost": 0.5}
#: By how much the load may grow within one reaction without a message too late, where the budget is shorter than that.
GROWTH = 2.0
#: How many times the load the most tasks bear at which it begins to strain them.
AMPLE = 2.3
#: The part of a task for the want of which none is added, and none is kept: a queue bears it for many minutes.
UNMISSED, UNNEEDED = 0.2, 0.35
#: The minutes for which a surplus stays, times its share of all tasks twice over: it comes back the sooner the smaller
#: it is, and costs the less.
SURPLUS: Mapping[Mode, float] = {"balanced": 0.37, "cost": 0.1}
#: How many times longer it stays at the most tasks.
STRAINED_SURPLUS = 5.0
#: The share of the load that is kept beyond it where a budget is no longer than a reaction: rates wander by as much.
ROOM = 0.15
#: Where the latency is not: the minutes whose highest load is kept, and the share of the budget that may wait before
#: it is worked off together with the load.
MEMORY = 5
PATIENCE = 0.2
#: Minutes for which a load is remembered, so that a small surplus may stay for nothing.
HOLD = 50
#: Minutes without any message after which all tasks but the least go: a start costs about as much as so long a wait.
QUIET = 3
#: The share of the acceptable latency at which the age of the oldest message alone adds tasks, whatever the counts.
LATE = 0.8
#: The share of what the running tasks could hold below which so few messages are in flight that more tasks get none.
FEW = 1 / 3
#: As many messages at once prove nothing at a single look.
TWO = 2
#: Minutes after which a count of groups is no evidence of the present, and those for which it stands still when more
#: tasks have found no more groups.
GROUPS_LAST, GROUPS_SETTLE = 3, 5
#: Seconds that messages must have waited for a count of groups, which is late, to be of a time when they waited.
GROUPS_WAIT = 120
#: How far a count that stands still may wander.
GROUPS_STILL = 1.25
#: The share of the tasks' places below which groups leave places empty: every group is taken then.
GROUPS_FILL = 0.9
#: How many times the tasks that the known groups keep busy may be desired while every place has a group.
GROUPS_GROW = 2.0
#: Arrivals are averaged over the acceptable latency, or one message's work if that is longer: so many minutes.
SHORTEST_WINDOW = 2
LONGEST_WINDOW = 30
#: Messages and minutes from which seconds per message are measured: 100 exponential times give the mean within 10 %.
ENOUGH_MESSAGES = 100
ENOUGH_MINUTES = 3
#: Messages of fewer minutes that are enough as well: the more there are, the sooner a change of their work counts.
PLENTY_MESSAGES = 400
#: Minutes of history that a plan looks at, at most.
HISTORY = LONGEST_WINDOW + HOLD


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The options of one worker's scaling.

    Args:
        acceptable_latency: Seconds a message may wait.
        processing_time: Seconds of work per message, until it has been measured.
        concurrency: Messages that a task handles at once. Defaults to 1.
        min_tasks: Tasks that always run. Defaults to 1.
        max_tasks: Tasks that may run at most. Defaults to 10.
        max_downstream_rate: Messages per second that what lies behind the worker can take. At least one task runs all
            the same: a rate is only kept exactly by a limit in the worker. Defaults to any.
        mode: "cost" lets messages wait for longer, and removes tasks sooner. Defaults to "balanced".
        launch_latency: Seconds from the start of a task until it works. Defaults to 40.
        starting_point: The count of tasks that Application Auto Scaling corrects by a gap: those that run, as in the
            ECS guide, or those that are desired. Defaults to "running".
            https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
    """

    acceptable_latency: float
    processing_time: float
    concurrency: int = 1
    min_tasks: int = 1
    max_tasks: int = 10
    max_downstream_rate: float | None = None
    mode: Mode = "balanced"
    launch_latency: float = LAUNCH_LATENCY
    starting_point: StartingPoint = "running"

    @cached_property
    def reaction(self) -> float:
        """Seconds until more tasks help."""
        return DECISION + self.launch_latency


# Neither this nor a plan is frozen: both are made in every minute of a simulated day, and frozen takes thrice as long.
@dataclass(kw_only=True, slots=True)
class Observation:
    """What can be seen of a worker at one moment.

    Args:
        visible: Messages that wait, now.
        in_flight: Messages that tasks have received and not finished, now.
        desired: Tasks that the service is to run.
        running: Tasks that run; during a deployment those of both versions.
        oldest_age: Seconds that the oldest message has waited, as last reported. Defaults to None, unknown.
        arrivals: Messages that came in the last minutes, oldest first, None where there is no datapoint. About a minute
            late; HISTORY minutes are enough. Defaults to none.
        work: Seconds of work and messages of the same minutes; None where there is none. Defaults to none.
        groups: Message groups with messages in flight in the same minutes, of a FIFO queue. Defaults to none.
    """

    visible: float
    in_flight: float
    desired: int
    running: int
    oldest_age: float | None = None
    arrivals: Sequence[float | None] = ()
    work: Sequence[Work | None] = ()
    groups: Sequence[float | None] = ()


@dataclass(kw_only=True, slots=True)
class Plan:
    """The tasks to aim at, and how many are missing or too many.

    Args:
        desired_tasks: The tasks to aim at.
        gap_out: Tasks to add to the policy's starting point, or 0.
        gap_in: Tasks to remove from it as a negative number, or 0. One of the two gaps is 0.
        backlog_seconds: Seconds that the running tasks need for what waits.
        reason: Why, for logs and charts.
    """

    desired_tasks: int
    gap_out: int
    gap_in: int
    backlog_seconds: float
    reason: Reason


def plan(policy: Policy, seen: Observation) -> Plan:
    """The tasks that keep the acceptable latency. What is not known changes nothing: no arrivals, no task removed.

    Args:
        policy: The options of the worker's scaling.
        seen: What can be seen of the worker now.
    """
    measured = seconds_per_message(seen.work)
    seconds = policy.processing_time if measured is None else measured
    limit = _limit(policy, seconds / policy.concurrency)
    tasks, reason = _tasks(policy, seen, _need(policy, seen, seconds, limit), limit)
    gap_out, gap_in = gaps(policy, seen, tasks)
    backlog_seconds = seen.visible * (seconds / policy.concurrency) / (seen.running or 1)
    return Plan(desired_tasks=tasks, gap_out=gap_out, gap_in=gap_in, backlog_seconds=backlog_seconds, reason=reason)


#: Tasks, in fractions: fewer than the first are too few, more than the second too many; and why.
_Need = tuple[float, float, Reason]


class _Work(NamedTuple):
    """What is there to do.

    waiting: Task-seconds. held: Tasks that the messages in flight keep busy.
    load: That of now, in tasks; None if unknown. earlier: Those of the minutes before, newest first.
    newest: That of the newest minute alone.
    """

    waiting: float
    held: float
    seconds: float
    load: float | None
    earlier: Iterator[float]
    newest: float

    def busy(self, within: float) -> float:
        """Messages in flight keep their tasks busy; of short ones, others follow within the time."""
        return self.held * (self.seconds / within) if self.seconds < within else self.held


def _need(policy: Policy, seen: Observation, seconds: float, limit: float) -> _Need:
    """What the work asks for, whatever the limits."""
    latency, concurrency = policy.acceptable_latency, policy.concurrency
    task_seconds = seconds / concurrency
    # Calculated as far as a plan looks back, which as a rule is not far.
    loads = loads_of(seen.arrivals, window=_window(max(latency, seconds)), task_seconds=task_seconds)
    newest = _newest(seen.arrivals) * task_seconds / 60
    work = _Work(seen.visible * task_seconds, seen.in_flight / concurrency, seconds, next(loads, None), loads, newest)
    load = work.load or 0.0
    budget = max(LEAST_DRAIN, latency - seconds)
    if work.load is not None and latency <= policy.reaction:
        out, kept, reason = _brisk(policy, seen, work, load, budget)
    else:
        out, kept, reason = _patient(policy, seen, work, budget, limit)
    if seen.oldest_age is not None and seen.oldest_age > LATE * latency:
        # Counts are approximate, and work changes; an age does not lie. By half at most: it is a minute old itself.
        catch_up = load + work.waiting / max(LEAST_DRAIN / 2, latency - seen.oldest_age)
        catch_up = min(catch_up, 1.5 * seen.desired + 1)
        if catch_up > out:
            out, reason = catch_up, "messages are late"
    # More tasks than messages, with those that come until the tasks have started, would find nothing to do.
    coming = max(load, newest) / seconds * policy.reaction if seconds else 0.0
    return min(out, (seen.visible + seen.in_flight) / concurrency + coming), kept, reason


def _patient(policy: Policy, seen: Observation, work: _Work, budget: float, limit: float) -> _Need:
    """Where a queue can be worked off later, at least in part."""
    reaction, desired = policy.reaction, seen.desired
    waiting, _, _, load, earlier, newest = work
    lasting = newest if load is None else max(load, (load + newest) / 2)
    # 0 where a queue can be worked off later, 1 where it could not: a budget of one reaction leaves no time for it, and
    # one of two leaves enough.
    hasty = _share(2 - budget / reaction)
    strained = max(hasty, _share(AMPLE * lasting / limit - 1))
    calm = 1 - strained
    drain = max(LEAST_DRAIN, DRAIN * (budget - reaction) * calm)
    busy = work.busy(drain)
    sure = min(seen.running, desired) * LOOK * calm
    out, reason = (max(0.0, waiting - sure) / drain + busy), "work waits"
    if load is None:
        return out, float(desired), reason
    weight = budget + reaction
    behind = waiting / weight
    # Where there is less time to see whether it stays, the newest minute is the more of the load.
    pressing = load + hasty * max(0.0, newest - load)
    standing = STANDING[policy.mode] * budget * calm
    settled = (1 - standing / weight) * pressing + behind + busy - UNMISSED * calm
    if settled > out:
        out, reason = settled, "more load"
    kept = _kept(
        load,
        earlier,
        desired=desired,
        share=1 + ROOM * hasty,
        drain=behind - UNNEEDED * calm,
        surplus=SURPLUS[policy.mode] * (1 + (STRAINED_SURPLUS - 1) * strained),
    )
    return out, kept, reason


def _brisk(policy: Policy, seen: Observation, work: _Work, load: float, budget: float) -> _Need:
    """Where there is no time to see whether what comes stays."""
    reaction, desired = policy.reaction, max(1, seen.desired)
    within = max(LEAST_DRAIN, budget - reaction)
    out = work.waiting / within + work.busy(within)
    growth = max(0.0, max(load, work.newest) - seen.desired) * reaction
    if work.newest > load and (work.waiting + growth) / desired > LEAST_DRAIN:
        out = max(out, work.newest + work.waiting / LEAST_DRAIN)
    if work.waiting / desired > PATIENCE * budget:
        out = max(out, load + work.waiting / within)
    # Until more tasks help, these alone work off what waits and what comes.
    reserve = GROWTH * reaction / (max(1.0, policy.acceptable_latency) + reaction)
    if reserve > 1:
        out = max(out, reserve * load)
    highest = max(load, *islice(work.earlier, MEMORY - 1), 0.0)
    return out, max(out, max(1 + ROOM, reserve) * highest), "no time to wait"


def _kept(load: float, earlier: Iterator[float], *, desired: int, share: float, drain: float, surplus: float) -> float:
    """The tasks to keep, given the loads of the last minutes, newest first: all of them while a surplus is cheap."""
    enough, minutes, kept = surplus * desired**2, 1, load * share + drain
    while (spare := desired - ceil(kept)) > 0:
        if spare**2 * minutes >= enough:
            return kept
        before = next(earlier, None)
        if before is None:
            break
        minutes, kept = minutes + 1, max(kept, before * share + drain)
    return desired


def _tasks(policy: Policy, seen: Observation, need: _Need, limit: float) -> tuple[int, Reason]:
    """Whole tasks, and why not as many as are desired."""
    desired, least = seen.desired, policy.min_tasks
    # A limit wanders around a whole number as it is measured: up to the one below, down to the one above.
    allowed, bearable = floor(limit), ceil(limit)
    wanted, kept, reason = need
    quiet = is_quiet(seen)
    if quiet:
        more = fewer = least
    else:
        out, kept = ceil(wanted), ceil(kept)
        of_groups = most_of_groups(policy, seen) if seen.groups else None
        if of_groups is not None and out > of_groups:
            out, kept = of_groups, min(kept, of_groups)
            reason = reason if of_groups > desired else "groups are taken"
        more = max(least, min(allowed, out), 1 if seen.visible else 0)
        fewer = max(more, 1, min(bearable, kept))
    if more > desired:
        if desired and more > max(least, 1) and is_stuck(policy, seen):
            return max(desired, least), "messages are not taken"
        return more, reason
    if desired > bearable:
        return min(desired, fewer), "at the limit"
    if reason != "groups are taken":
        if desired > fewer:
            reason = "queue is quiet" if quiet else "less load"
        elif desired >= allowed and wanted > desired:
            reason = "at the limit"
        else:
            reason = "arrivals unknown" if seen.arrivals.count(None) == len(seen.arrivals) else "steady"
    return min(desired, fewer), reason


def gaps(policy: Policy, seen: Observation, tasks: int) -> tuple[int, int]:
    """What to add and to remove, one of them 0, for `tasks` to become desired.

    Tasks that are desired already are on their way: only another number of them is a gap. A scale-out is counted from
    those that run, and so is right whether Auto Scaling looks before or after those on their way have started.

    Args:
        policy: The options of the worker's scaling.
        seen: What can be seen of the worker now.
        tasks: The tasks to aim at.
    """
    start = seen.running if policy.starting_point == "running" else seen.desired
    if tasks > seen.desired:
        return max(0, tasks - start), 0
    if tasks < seen.desired:
        return 0, min(0, tasks - start)
    return 0, 0


def seconds_per_message(work: Sequence[Work | None]) -> float | None:
    """The mean work of the newest messages, from as many minutes as it takes to be sure; None without any.

    Args:
        work: Seconds of work and messages of the last minutes, oldest first; None where there is none.
    """
    total = messages = 0.0
    for minutes, datapoint in enumerate(reversed(work), start=1):
        if datapoint is not None:
            total += datapoint[0]
            messages += datapoint[1]
        if messages >= PLENTY_MESSAGES or (messages >= ENOUGH_MESSAGES and minutes >= ENOUGH_MINUTES):
            break
    return total / messages if messages else None


def loads_of(arrivals: Sequence[float | None], *, window: int, task_seconds: float) -> Iterator[float]:
    """The mean load of `window` minutes, as it was in each of the last HOLD minutes, newest first; none if unknown.

    Args:
        arrivals: Messages that came in the last minutes, oldest first; None where there is no datapoint.
        window: Minutes to average.
        task_seconds: Seconds for which a message keeps a task busy.
    """
    newest = arrivals[-window:]
    # Counts are whole numbers, so that what comes and goes leaves no rounding behind.
    total, known = sum(filter(None, newest)), len(newest) - newest.count(None)
    if not known:
        return
    for last in range(len(arrivals) - 1, max(0, len(arrivals) - HOLD) - 1, -1):
        if known:
            yield total * task_seconds / 60 / known
        leaves, comes = arrivals[last], arrivals[last - window] if last >= window else None
        if leaves is not None:
            total, known = total - leaves, known - 1
        if comes is not None:
            total, known = total + comes, known + 1


def is_quiet(seen: Observation) -> bool:
    """Whether nothing is there, and for some minutes nothing came.

    Args:
        seen: What can be seen of the worker now.
    """
    if seen.visible or seen.in_flight:
        return False
    last = seen.arrivals[-QUIET:]
    return len(last) == QUIET and all(count == 0 for count in last)


def is_stuck(policy: Policy, seen: Observation) -> bool:
    """Whether messages wait while tasks do not take them, so that more tasks would not either.

    The groups of a FIFO queue are taken, or the tasks end before they work, or what they call makes them pause.

    Args:
        policy: The options of the worker's scaling.
        seen: What can be seen of the worker now.
    """
    if not seen.running:
        # Tasks that start need a moment; messages that have waited for longer than that find no task that lives.
        return bool(seen.visible) and (seen.oldest_age is None or seen.oldest_age > policy.reaction)
    held = seen.running * policy.concurrency
    if seen.visible < held or seen.in_flight >= FEW * held:
        return False
    # Of one or two messages at once, none may be in flight just now; of those that wait for long, none was for long.
    return held > TWO or seen.oldest_age is None or seen.oldest_age > LOOK


def most_of_groups(policy: Policy, seen: Observation) -> int | None:
    """The most tasks that the groups of a FIFO queue keep busy; None where nothing proves that it is too few.

    A group is worked on by one task, one message after the other, and each of a task's places takes a group. Places
    without a group, while messages wait, prove that every group is taken. While none is empty there may be more groups,
    so that a few more tasks are tried; when they have found none for some minutes, they are too many.

    Args:
        policy: The options of the worker's scaling.
        seen: What can be seen of the worker now.
    """
    taken = next((count for count in reversed(seen.groups[-GROUPS_LAST:]) if count is not None), None)
    waited = seen.oldest_age is not None and seen.oldest_age >= GROUPS_WAIT
    if not taken or not seen.running or not waited:
        return None
    places = seen.running * policy.concurrency
    busy = taken / policy.concurrency
    if taken >= GROUPS_FILL * places:
        return max(seen.desired, ceil(GROUPS_GROW * busy))
    known = [count for count in seen.groups[-GROUPS_SETTLE - GROUPS_LAST :] if count is not None]
    counts = known[-GROUPS_SETTLE:]
    if len(counts) == GROUPS_SETTLE and max(counts) <= min(GROUPS_STILL * min(counts), GROUPS_FILL * places):
        return max(1, ceil(max(counts) / policy.concurrency))
    return max(seen.desired, ceil(busy))


def _window(seconds: float) -> int:
    return min(LONGEST_WINDOW, max(SHORTEST_WINDOW, round(seconds / 60)))


def _newest(arrivals: Sequence[float | None]) -> float:
    for count in reversed(arrivals):
        if count is not None:
            return count
    return 0.0


def _limit(policy: Policy, task_seconds: float) -> float:
    if policy.max_downstream_rate is None:
        return policy.max_tasks
    return min(policy.max_tasks, max(1.0, policy.max_downstream_rate * task_seconds))


def _share(part: float) -> float:
    """No less than nothing, and no more than all."""
    return 0.0 if part <= 0 else min(part, 1.0)
