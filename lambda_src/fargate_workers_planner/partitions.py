"""How many tasks share the partitions of a topic evenly, and how seldom that number changes. Pure.

The members of a consumer group share its partitions. With 12 partitions, five tasks are no faster than four: one of
them has three partitions, as each of the four has. So of all numbers of tasks only the least for each number of
partitions per task is of use: all divisors of the partitions, and few others.

Each change of the number is a rebalance, which pauses partitions and repeats some work: there is at most one in three
minutes, whatever a plan asks for meanwhile.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from fargate_workers_planner.arithmetic import Observation, Plan, Policy, Reason, gaps

#: Minutes without another change after a change of the number of tasks.
CALM_MINUTES = 3
#: Seconds that a group takes to share its partitions anew, after the start of a task.
REBALANCE = 20


@cache
def useful_tasks(partitions: int) -> Sequence[int]:
    """The least numbers of tasks for each number of partitions per task, rising.

    >>> useful_tasks(12)
    (1, 2, 3, 4, 6, 12)
    >>> useful_tasks(7)
    (1, 2, 3, 4, 7)

    Args:
        partitions: The number of partitions.
    """
    return tuple(sorted({math.ceil(partitions / each) for each in range(1, partitions + 1)}))


def spread_evenly(tasks: int, *, partitions: int, min_tasks: int, max_tasks: int) -> int:
    """The number of tasks to run where so many are asked for: the next one of use, and never more than partitions.

    >>> spread_evenly(5, partitions=12, min_tasks=1, max_tasks=10)
    6
    >>> spread_evenly(9, partitions=12, min_tasks=1, max_tasks=10)
    6

    Args:
        tasks: The tasks that are asked for.
        partitions: The number of partitions.
        min_tasks: Tasks that always run, of use or not.
        max_tasks: Tasks that may run at most.
    """
    if tasks <= 0:
        return max(0, min_tasks)
    useful = [each for each in useful_tasks(partitions) if each <= max_tasks]
    return max(min_tasks, next((each for each in useful if each >= tasks), useful[-1]))


def settled(
    plan: Plan, policy: Policy, seen: Observation, *, partitions: int, earlier: Sequence[float | None], rebalances: bool
) -> Plan:
    """The plan for a consumer group: evenly spread, and calm.

    Args:
        plan: What the work asks for.
        policy: The options of the worker's scaling.
        seen: What can be seen of the worker now.
        partitions: The number of partitions.
        earlier: The tasks that were aimed at in the last minutes, oldest first; None where there was no plan.
        rebalances: Whether the group is sharing its partitions anew.
    """
    last = [int(each) for each in earlier[-CALM_MINUTES:] if each is not None]
    if len(set(last)) > 1:
        # Aimed at until it is reached: an alarm may have looked before the plan.
        return _aiming_at(last[-1], plan, policy, seen)
    if rebalances and seen.running:
        # What the group can do shows only when it has settled.
        return _aiming_at(seen.desired, plan, policy, seen)
    tasks = spread_evenly(
        plan.desired_tasks, partitions=partitions, min_tasks=policy.min_tasks, max_tasks=policy.max_tasks
    )
    return _aiming_at(tasks, plan, policy, seen, reason=plan.reason)


def _aiming_at(
    tasks: int, plan: Plan, policy: Policy, seen: Observation, *, reason: Reason = "group is rebalancing"
) -> Plan:
    gap_out, gap_in = gaps(policy, seen, tasks)
    unchanged = tasks == plan.desired_tasks
    return replace(
        plan, desired_tasks=tasks, gap_out=gap_out, gap_in=gap_in, reason=plan.reason if unchanged else reason
    )
