"""How many tasks a queue worker needs. Pure: what was seen goes in, a plan comes out, nothing is remembered in between.

Everything is measured in work. A message is (seconds per message / concurrency) task-seconds, a rate is the tasks that
it keeps busy. Counting messages instead fails when their work changes.

    load     what the arrivals keep busy, averaged over the acceptable latency: what is shorter, the queue absorbs
    drain    what it takes to work off the messages that wait before they are too old
    out      load + drain, once a message would wait for longer than patience allows; when the rate jumps so that
             the present tasks would let messages become too old, the newest minute is the load
    in       the highest load of the last minutes with 15 % room, + drain; the smaller a surplus, the longer it stays

A surplus goes once it has cost as much as all tasks cost in two and a half minutes: half of the tasks after five
minutes, a tenth after twenty-five. Only load is held so. What was added to drain a burst leaves with the burst.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple

Mode = Literal["balanced", "cost"]

Reason = Literal[
    "steady",
    "more load",
    "work waits",
    "rate jumped",
    "messages are late",
    "less load",
    "queue is quiet",
    "arrivals unknown",
    "at the limit",
]

#: Seconds of work, and the messages they were for.
Work = tuple[float, float]

#: Changes of capacity by which both policies answer a gap: the largest that fits, the rest a minute later. At most 20.
#: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-quotas.html
LADDER = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 70, 100, 150, 250, 500)

#: Seconds until a decision bears fruit: two minutes until it is taken and acted on, and the start of a task.
REACTION = 150.0
#: The least seconds in which to work off what waits, however little latency is acceptable.
LEAST_DRAIN = 60.0
#: Minutes of all tasks that a surplus may cost before it goes: to remove what is soon wanted again would be thrash.
SURPLUS = 2.5
#: Minutes for which a load is remembered, so that a twentieth of the tasks may stay for nothing.
HOLD = 50
#: Minutes without any message after which all tasks but the least go: a start costs about as much as so long a wait.
QUIET = 3
#: The share of capacity that stays free when tasks are removed: rates wander by as much from one minute to the next.
ROOM: Mapping[Mode, float] = {"balanced": 0.15, "cost": 0.0}
#: The share of the acceptable latency that messages may wait before tasks are added: a fifth is hardly noticed.
PATIENCE: Mapping[Mode, float] = {"balanced": 0.2, "cost": 0.5}
#: Arrivals are averaged over the acceptable latency, or one message's work if that is longer: so many minutes.
SHORTEST_WINDOW = 2
LONGEST_WINDOW = 30
#: Messages and minutes from which seconds per message are measured: 100 exponential times give the mean within 10 %.
ENOUGH_MESSAGES = 100
ENOUGH_MINUTES = 3
#: Minutes of history that a plan looks at, at most.
HISTORY = LONGEST_WINDOW + HOLD


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a user asks for.

    acceptable_latency: Seconds a message may wait.
    processing_time: Seconds of work per message, until it has been measured.
    concurrency: Messages that a task handles at once.
    max_downstream_rate: Messages per second that what lies behind the worker can take. At least one task runs all the
        same: a rate is only kept exactly by a limit in the worker. Default: any.
    mode: "cost" leaves no room and adds tasks only when messages have waited for half of the acceptable latency.
    """

    acceptable_latency: float
    processing_time: float
    concurrency: int = 1
    min_tasks: int = 1
    max_tasks: int = 10
    max_downstream_rate: float | None = None
    mode: Mode = "balanced"


# Neither this nor a plan is frozen: both are made in every minute of a simulated day, and frozen takes thrice as long.
@dataclass(kw_only=True, slots=True)
class Observation:
    """What can be seen of a worker at one moment.

    visible, in_flight: The queue's live attributes.
    oldest_age: Seconds, as SQS last reported it; None when unknown.
    desired, running: The service's tasks.
    arrivals: NumberOfMessagesSent of the last minutes, oldest first, None where there is no datapoint. About a minute
        late; HISTORY minutes are enough.
    work: Seconds of work and messages of the same minutes: WorkSeconds' sum and count; None where there is none.
    """

    visible: float
    in_flight: float
    desired: int
    running: int
    oldest_age: float | None = None
    arrivals: Sequence[float | None] = ()
    work: Sequence[Work | None] = ()


@dataclass(kw_only=True, slots=True)
class Plan:
    """What to do.

    desired_tasks: The tasks to aim at.
    gap_out: Tasks to add, or 0. gap_in: Tasks to remove as a negative number, or 0. One of them is 0.
    backlog_seconds: How long the running tasks need for what waits.
    reason: For logs and charts.
    """

    desired_tasks: int
    gap_out: int
    gap_in: int
    backlog_seconds: float
    reason: Reason


def plan(policy: Policy, seen: Observation) -> Plan:
    """The tasks that keep the acceptable latency. What is not known changes nothing: no arrivals, no task removed."""
    measured = seconds_per_message(seen.work)
    seconds = policy.processing_time if measured is None else measured
    task_seconds = seconds / policy.concurrency
    wish = _wish(policy, seen, seconds=seconds)
    limit = _limit(policy, task_seconds)
    gap_out, gap_in, reason = _gaps(policy, seen, wish, limit=limit)
    return Plan(
        desired_tasks=seen.desired + gap_out + gap_in,
        gap_out=gap_out,
        gap_in=gap_in,
        backlog_seconds=seen.visible * task_seconds / max(1, seen.running),
        reason=reason,
    )


class _Wish(NamedTuple):
    """Tasks, in fractions: fewer than `out` are too few, more than `kept` too many."""

    out: float
    kept: float
    reason: Reason


def _wish(policy: Policy, seen: Observation, *, seconds: float) -> _Wish:
    """What the work asks for, whatever the limits."""
    latency, desired, task_seconds = policy.acceptable_latency, seen.desired, seconds / policy.concurrency
    until_late = max(LEAST_DRAIN, latency - REACTION)
    waiting = seen.visible * task_seconds
    drain = waiting / until_late
    loads = loads_of(seen.arrivals, window=_window(latency, seconds), task_seconds=task_seconds)
    load = next(loads, None)
    if load is None:
        load = highest = 0.0
        out, kept, reason = drain, desired, "work waits"
    else:
        newest = _newest(seen.arrivals) * task_seconds / 60
        highest = max(load, newest)
        out, reason = load + drain, "more load" if load > drain else "work waits"
        growth = max(0.0, highest - desired) * REACTION
        wait = (waiting + growth) / max(1, desired)
        if wait > until_late and newest > load:
            out, reason = newest + drain, "rate jumped"
        if wait <= PATIENCE[policy.mode] * latency:
            out = min(out, desired)
        kept = _kept(chain((load,), loads), desired=desired, drain=drain, room=ROOM[policy.mode])
    if seen.oldest_age is not None and seen.oldest_age > latency / 2:
        # Counts are approximate, and work changes; an age does not lie. By half at most: it is a minute old itself.
        hurry = min(load + waiting / max(LEAST_DRAIN / 2, latency - seen.oldest_age), 1.5 * desired + 1)
        if hurry > out:
            out, reason = hurry, "messages are late"
    # More tasks than messages, with those that come until the tasks have started, would find nothing to do.
    coming = highest / seconds * REACTION if seconds else 0.0
    return _Wish(min(out, (seen.visible + seen.in_flight) / policy.concurrency + coming), kept, reason)


def _kept(loads: Iterable[float], *, desired: int, drain: float, room: float) -> float:
    """The tasks to keep, given the loads of the last minutes, newest first: all of them while a surplus is cheap."""
    highest = 0.0
    for minutes, load in enumerate(loads, start=1):
        if load > highest:
            highest = load
        kept = highest * (1 + room) + drain
        surplus = desired - math.ceil(kept)
        if surplus <= 0:
            break
        if surplus * minutes >= SURPLUS * desired:
            return kept
    return desired


def _gaps(policy: Policy, seen: Observation, wish: _Wish, *, limit: float) -> tuple[int, int, Reason]:
    """Whole tasks to add and to remove, one of them 0, and why."""
    desired = seen.desired
    # A limit wanders around a whole number as it is measured: up to the one below, down to the one above.
    allowed, bearable = math.floor(limit), math.ceil(limit)
    quiet = is_quiet(seen)
    if quiet:
        more = fewer = policy.min_tasks
    else:
        more = max(policy.min_tasks, min(allowed, math.ceil(wish.out)), 1 if seen.visible else 0)
        present = 1 if seen.visible + seen.in_flight else 0
        fewer = max(more, present, min(bearable, math.ceil(wish.kept)))
    if more > desired:
        return more - desired, 0, wish.reason
    too_many = desired - fewer
    if desired > bearable:
        return 0, -max(0, too_many), "at the limit"
    if too_many > 0:
        return 0, -too_many, "queue is quiet" if quiet else "less load"
    if desired >= allowed and wish.out > desired:
        return 0, 0, "at the limit"
    known = any(count is not None for count in seen.arrivals)
    return 0, 0, "steady" if known else "arrivals unknown"


def seconds_per_message(work: Sequence[Work | None]) -> float | None:
    """The mean work of the newest messages, from as many minutes as it takes to be sure; None without any."""
    total = messages = 0.0
    for minutes, datapoint in enumerate(reversed(work), start=1):
        if datapoint is not None:
            total += datapoint[0]
            messages += datapoint[1]
        if messages >= ENOUGH_MESSAGES and minutes >= ENOUGH_MINUTES:
            break
    return total / messages if messages else None


def work_of_queue(in_flight: Sequence[float | None], deleted: Sequence[float | None]) -> list[Work | None]:
    """The work of each minute as a queue betrays it, for an image that does not report any: Little's law.

    While `in_flight` messages were worked on for a minute, `deleted` were finished. What was fetched ahead, or failed
    and stays hidden, counts as worked on: rather too much than too little. Until some minutes have finished something
    nothing is known, because the first of them see more begun than finished.
    """
    work = [None if a is None or b is None else (a * 60.0, b) for a, b in zip(in_flight, deleted, strict=True)]
    known = sum(1 for each in work if each is not None and each[1]) >= ENOUGH_MINUTES
    return work if known else [None] * len(work)


def loads_of(arrivals: Sequence[float | None], *, window: int, task_seconds: float) -> Iterator[float]:
    """The mean load of `window` minutes, as it was in each of the last HOLD minutes, newest first; none if unknown."""
    for end in range(len(arrivals), max(0, len(arrivals) - HOLD), -1):
        minutes = arrivals[max(0, end - window) : end]
        known = len(minutes) - minutes.count(None)
        if known:
            yield sum(filter(None, minutes)) * task_seconds / 60 / known
        elif end == len(arrivals):
            return


def is_quiet(seen: Observation) -> bool:
    """That nothing is there, and for some minutes nothing came."""
    if seen.visible or seen.in_flight:
        return False
    last = seen.arrivals[-QUIET:]
    return len(last) == QUIET and all(count == 0 for count in last)


def _window(latency: float, seconds: float) -> int:
    return min(LONGEST_WINDOW, max(SHORTEST_WINDOW, round(max(latency, seconds) / 60)))


def _newest(arrivals: Sequence[float | None]) -> float:
    for count in reversed(arrivals):
        if count is not None:
            return count
    return 0.0


def _limit(policy: Policy, task_seconds: float) -> float:
    if policy.max_downstream_rate is None:
        return policy.max_tasks
    return min(policy.max_tasks, max(1.0, policy.max_downstream_rate * task_seconds))
