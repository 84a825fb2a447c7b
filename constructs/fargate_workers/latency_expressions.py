"""Scaling by latency without a function, in CloudWatch's metric math: a budget in, expressions out. Pure arithmetic.

Like the planner it reckons in tasks: what a minute's messages keep busy, and what it takes to work off those that wait.
It sees only what SQS and ECS report free of charge, so it must be told how long a message takes. Where that is wrong,
messages in flight still keep their tasks, and messages that get late still add some.

Each minute stands for itself: AWS advises against functions over a whole series (AVG, MAX or RUNNING_SUM of one metric)
in alarms, which may fetch more minutes than they evaluate. A minute of which a metric is missing has no result:
arithmetic would take what is missing for 0.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from collections.abc import Mapping
from typing import NamedTuple

from fargate_workers.latency_budget import REACTION, LatencyBudget, Mode

Expressions = Mapping[str, str]
"""Expressions by name, each in terms of metrics and of those before it. The last one is what an alarm watches."""

# The planner's own numbers and their reasons: see there. A test holds them equal.
LEAST_DRAIN = 60
PATIENCE: Mapping[Mode, float] = {"balanced": 0.2, "cost": 0.5}
ROOM: Mapping[Mode, float] = {"balanced": 0.15, "cost": 0.0}
TOLERANCE = 0.15

# As many times the tasks at most: those that have only just begun have deleted little yet.
_MOST_TIMES = 4
# Divided by them, an expression has no datapoint where SQS, or ECS too, has not reported.
_SQS = "(FILL(visible, -1) >= 0)"
_BOTH = "(FILL(visible, -1) >= 0 AND running > 0)"


class LatencyExpressions(NamedTuple):
    """How many tasks are missing, how many are too many, and how many a sleeping service needs when it wakes."""

    scale_out: Expressions
    scale_in: Expressions
    wake_up: Expressions


def latency_expressions(
    budget: LatencyBudget, *, concurrency: int, min_tasks: int, most_tasks: int
) -> LatencyExpressions:
    """Over `visible`, `in_flight` and `oldest` (seconds), and `sent`, `received`, `deleted` and `running` of a minute.

    concurrency: Messages that a task handles at once.
    most_tasks: How many may run, for the downstream's sake too.
    """
    latency, seconds = budget.acceptable_latency, _number(budget.processing_time)
    until_late, hurry = max(LEAST_DRAIN, latency - REACTION), LEAST_DRAIN // 2
    patience = _number(PATIENCE[budget.mode] * latency)
    load = f"sent * {seconds} / {60 * concurrency}"
    waiting = f"visible * {seconds} / {concurrency}"
    scale_out = {
        "load": load,
        "borne": "IF(load < running, load, running)",
        # Task-seconds: what waits, and what comes beyond the tasks' strength until others help. To expect a minute's
        # rate for longer would answer each spike as if it were there to stay.
        "ahead": f"{waiting} + (load - borne) * {min(REACTION, until_late)}",
        "planned": f"IF(ahead > {patience} * running, borne + ahead / {until_late}, running)",
        # Whatever was declared: what comes, and waits with so many seconds left, against what these tasks did.
        "left": f"IF(FILL(oldest, 0) < {latency - hurry}, {latency} - FILL(oldest, 0), {hurry})",
        "late": f"IF(FILL(oldest, 0) > {_number(latency / 2)} AND deleted > 0, "
        "running * (sent + visible * 60 / left) / deleted, 0)",
        "hurry": f"IF(late < {_MOST_TIMES} * running, late, {_MOST_TIMES} * running)",
        "need": "CEIL(MAX([planned, hurry]))",
        "gap": f"(IF(need < {most_tasks}, need, {most_tasks}) - running) / {_BOTH}",
    }
    scale_in = {
        "load": load,
        "busy": f"in_flight / {concurrency}",
        "planned": f"load * {_number(1 + ROOM[budget.mode])} + {waiting} / {until_late}",
        "kept": "CEIL(MAX([busy, planned]))",
        "surplus": f"running - IF(kept < {min_tasks}, {min_tasks}, kept)",
        "spare": f"IF(surplus >= {_number(TOLERANCE)} * running, surplus, 0) / {_BOTH}",
    }
    wake_up = {
        "load": load,
        "need": f"CEIL(load + {waiting} / {until_late})",
        # That nothing was received tells sleep from ECS's silence about tasks that work.
        "wake": f"IF(visible >= 1 AND received < 1 AND FILL(running, 0) < 1, need, 0) / {_SQS}",
    }
    return LatencyExpressions(scale_out, scale_in, wake_up)


def _number(value: float) -> str:
    """As metric math spells it: never with an exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
