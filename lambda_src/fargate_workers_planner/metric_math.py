"""Scaling without the function, in CloudWatch's metric math: what an alarm calculates once a minute. Pure arithmetic.

`latency_expressions` calculates like the planner, in tasks: what a minute's messages keep busy, and what it takes to
work off those that wait. It sees only what the source of work and ECS report free of charge, so it must be given how
long a message takes. Where that is wrong, messages in flight still keep their tasks, and messages that get late still
add some.

Each minute stands for itself: AWS advises against functions over a whole series (AVG, MAX or RUNNING_SUM of one metric)
in alarms, which may fetch more minutes than they evaluate. A minute of which a metric is missing has no result:
arithmetic would take what is missing for 0.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from fargate_workers_planner.arithmetic import DECISION, GROWTH, LEAST_DRAIN, Mode

Expressions = Mapping[str, str]
"""Expressions by name, each in terms of metrics and of those before it. The last one is what an alarm watches."""

#: Depth is what waits plus what is being worked on: without the latter, a busy service looks idle and is scaled in.
#: https://github.com/aws/aws-cdk/issues/20706
DEPTH = "(visible + in_flight)"
#: A task that runs reports its CPU once a minute. A service without tasks reports nothing at all, which means 0.
RUNNING = "FILL(running, 0)"
#: Where 0 would hold scaling in up: ECS may always be a minute late, and FILL answers for its newest minute.
LAST_RUNNING = "FILL(running, REPEAT)"
#: Messages per running task. Of a service without tasks all of them, so that it can be woken: it receives nothing, and
#: holds nothing in flight. Where ECS is late, its last word counts. And a minute that was not reported has no value:
#: arithmetic would take what is missing for 0, and target tracking goes by the newest value, whatever came before.
BACKLOG_PER_TASK = (
    f"{DEPTH} / IF({RUNNING} >= 1, {RUNNING}, IF(received < 1 AND in_flight < 1, 1, FILL({LAST_RUNNING}, 0)))"
    " / (FILL(visible, -1) >= 0)"
)

#: Seconds until a sleeping service starts a task: two minutes asleep, and a third and a bit by which metrics are late.
ASLEEP = 200
#: The share of the acceptable latency that messages may wait before tasks are added: a fifth is hardly noticed.
PATIENCE: Mapping[Mode, float] = {"balanced": 0.2, "cost": 0.5}
#: The share of capacity that stays free when tasks are removed: rates wander by as much from one minute to the next.
ROOM: Mapping[Mode, float] = {"balanced": 0.15, "cost": 0.0}
#: The share of the running tasks that a surplus must reach to be removed.
TOLERANCE = 0.15

# As many times the tasks at most: those that have only just begun have finished little yet.
_MOST_TIMES = 4
# Divided by them, an expression has no datapoint where the source of work, or ECS too, has not reported.
_SOURCE = "(FILL(visible, -1) >= 0)"
_BOTH = "(FILL(visible, -1) >= 0 AND running > 0)"


class LatencyExpressions(NamedTuple):
    """How many tasks are missing, how many are too many, and how many a sleeping service needs when it wakes."""

    scale_out: Expressions
    scale_in: Expressions
    wake_up: Expressions


def latency_expressions(
    *,
    acceptable_latency: int,
    processing_time: float,
    concurrency: int,
    min_tasks: int,
    most_tasks: int,
    mode: Mode,
    launch_latency: int,
) -> LatencyExpressions:
    """The expressions of `Scaling.for_latency(function=False)`.

    They are over `visible`, `in_flight` and `oldest` (seconds), and `sent`, `received`, `deleted` and `running` of a
    minute.

    Args:
        acceptable_latency: Seconds a message may wait.
        processing_time: Seconds of work per message.
        concurrency: Messages that a task handles at once.
        min_tasks: Tasks that always run.
        most_tasks: Tasks that may run, for the downstream's sake too; see `most_tasks`.
        mode: "cost" lets messages wait for longer, and removes tasks sooner.
        launch_latency: Seconds from the start of a task until it works.
    """
    latency, seconds, reaction = acceptable_latency, _number(processing_time), DECISION + launch_latency
    until_late, flush = max(LEAST_DRAIN, latency - reaction), LEAST_DRAIN // 2
    # Tasks that always run for each that the load keeps busy, where none that are added help in time: alone they work
    # off what comes while the load doubles. 1 or less where there is time.
    reserve = GROWTH * reaction / (latency + reaction)
    room = max(1 + ROOM[mode], reserve)
    patience = _number(PATIENCE[mode] * latency)
    load = f"sent * {seconds} / {60 * concurrency}"
    waiting = f"visible * {seconds} / {concurrency}"
    scale_out = {
        "load": load,
        "borne": "IF(load < running, load, running)",
        # Task-seconds: what waits, and what comes beyond the tasks' strength until others help. To expect a minute's
        # rate for longer would answer each spike as if it were there to stay.
        "ahead": f"{waiting} + (load - borne) * {min(reaction, until_late)}",
        "planned": f"IF(ahead > {patience} * running, borne + ahead / {until_late}, running)",
        # Messages that wait while tasks do not take them: the groups of a FIFO queue, or tasks that end at once.
        "taken": f"IF(visible >= running * {concurrency} AND in_flight * 3 < running * {concurrency}, 0, 1)",
        # Whatever was declared: what comes, and waits with so many seconds left, against what these tasks did.
        "left": f"IF(FILL(oldest, 0) < {latency - flush}, {latency} - FILL(oldest, 0), {flush})",
        "late": f"IF(FILL(oldest, 0) > {_number(latency / 2)} AND deleted > 0, "
        "running * (sent + visible * 60 / left) / deleted, 0)",
        "hurry": f"IF(late < {_MOST_TIMES} * running, late, {_MOST_TIMES} * running)",
        "need": "CEIL(MAX([planned, hurry]))",
        "gap": f"(IF(need < {most_tasks}, need, {most_tasks}) - running) * taken / {_BOTH}",
    }
    scale_in = {
        "load": load,
        "busy": f"in_flight / {concurrency}",
        "planned": f"load * {_number(room)} + {waiting} / {until_late}",
        "kept": "CEIL(MAX([busy, planned]))",
        "surplus": f"running - IF(kept < {min_tasks}, {min_tasks}, kept)",
        "spare": f"IF(surplus >= {_number(TOLERANCE)} * running, surplus, 0) / {_BOTH}",
    }
    wake_up = {
        "load": load,
        "need": f"CEIL(load + {waiting} / {until_late})",
        # That nothing was received distinguishes sleep from ECS's silence about tasks that work.
        "wake": f"IF(visible >= 1 AND received < 1 AND FILL(running, 0) < 1, need, 0) / {_SOURCE}",
    }
    return LatencyExpressions(scale_out, scale_in, wake_up)


def most_tasks(
    *,
    processing_time: float,
    concurrency: int,
    min_tasks: int,
    max_tasks: int,
    max_downstream_rate: float | None,
) -> int:
    """As many tasks as the downstream bears, by the declared processing time: one at least, and never below the least.

    Args:
        processing_time: Seconds of work per message.
        concurrency: Messages that a task handles at once.
        min_tasks: Tasks that always run.
        max_tasks: Tasks that may run at most.
        max_downstream_rate: Messages per second. None is without limit.
    """
    most = max_tasks
    if max_downstream_rate is not None:
        most = min(most, max(1, math.floor(max_downstream_rate * processing_time / concurrency)))
    return max(most, min_tasks)


def _number(value: float) -> str:
    """As metric math spells it: never with an exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
