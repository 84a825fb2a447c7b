"""AWS's own benchmark of target tracking on an ECS service's CPU, with metrics of 60 and of 20 seconds.

AWS published four numbers and no set-up:
https://aws.amazon.com/blogs/aws/amazon-ecs-introduces-new-high-resolution-metrics-for-faster-service-auto-scaling/
So the service is the one in the guide, 2 tasks and a target of 50 % (TARGET below), and idle tasks become busy at once.
Known is the alarm: three datapoints above the target (`TrackingPolicy`). Two things are assumed, and this check says
no more than that they fit: how late a datapoint is seen, which AWS documents nowhere (LAGS), and how long a task takes
to start, which is the simulator's default. AWS says that for 20 seconds publishing was made faster as well.
"""

from dataclasses import dataclass
from statistics import mean

import numpy as np

from benchmarks.report import Check, Row
from fargate_workers_toolkit.aws_behaviour.cooldown import Bounds
from fargate_workers_toolkit.aws_behaviour.target_tracking import TrackingPolicy
from fargate_workers_toolkit.simulation.assumptions import Assumptions
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Metric, Query, ScaledService, Tracking
from fargate_workers_toolkit.simulation.simulate import simulate

WITHIN = 0.2

# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/target-tracking-faster-auto-scaling.html
TARGET = 50.0
TASKS = 2
MOST_TASKS = 10

# Seconds from the end of a period until an alarm sees its datapoint. Assumed: with 60-second metrics users report that
# five to six minutes pass until a scale-out, https://github.com/aws/containers-roadmap/issues/2113
LAGS = {60: 120.0, 20: 20.0}

# In simulated seconds. The load jumps at every fifth second of a period in turn.
BEFORE = 600
AFTER = 900
PHASES = range(0, 60, 5)


@dataclass(frozen=True, kw_only=True)
class Published:
    """Seconds from the jump of the load to the scale-out, and until the new tasks run. `period`: of the metric."""

    period: int
    trigger: float
    total: float


PUBLISHED = (Published(period=60, trigger=363, total=386), Published(period=20, trigger=86, total=109))


def seconds_to_trigger(period: int, *, lag: float) -> float:
    """Until the first scale-out, on average over where in a period the load jumps.

    Alarms of 20 seconds work as those of a minute do, three times as fast: a simulated minute stands for a period.
    """
    pace = period / 60
    assumptions = Assumptions(service_lag=lag / pace, service_times="fixed")
    return mean(_simulated_trigger(phase, assumptions) for phase in PHASES) * pace


def check() -> Check:
    rows: list[Row] = []
    for published in PUBLISHED:
        lag = LAGS[published.period]
        trigger = seconds_to_trigger(published.period, lag=lag)
        start = Assumptions().launch_median
        what = f"{published.period} s metrics, seen {lag:.0f} s late (assumed)"
        rows.append(_row(f"{what}: seconds to trigger", trigger, published.trigger))
        rows.append(_row(f"{what}: in all, {start:.0f} s to start", trigger + start, published.total))
    return Check(
        measures="AWS's benchmark of ECS scaling on CPU, within 20 %",
        rows=rows,
        beside={
            "assumed": "AWS published no set-up: the lag of the metrics and the start of a task are chosen, and fit.",
            "lags within 20 %": {f"{published.period} s": _lags_that_fit(published) for published in PUBLISHED},
        },
    )


def _lags_that_fit(published: Published) -> list[float]:
    """The least and the most lag, in whole periods, with which the trigger is within the bound."""
    lags = [float(published.period * periods) for periods in range(3)]
    fitting = [
        lag for lag in lags if abs(seconds_to_trigger(published.period, lag=lag) / published.trigger - 1) <= WITHIN
    ]
    return [min(fitting), max(fitting)] if fitting else []


def _row(name: str, seconds: float, published: float) -> Row:
    return Row(
        name=name,
        value=seconds,
        least=round(published * (1 - WITHIN), 1),
        most=round(published * (1 + WITHIN), 1),
        digits=0,
        beside=f"AWS: {published:.0f} s, {seconds / published - 1:+.0%}",
    )


def _simulated_trigger(phase: int, assumptions: Assumptions) -> float:
    jump = BEFORE + phase
    rate = np.full(jump + AFTER, 4)
    rate[:jump] = 0
    rate[0] = 1
    load = Load(name="jump", arrivals=rate, work_seconds=TASKS / 4)
    result = simulate(_tracking_cpu(), load, slo=300, assumptions=assumptions)
    return next(event.second for event in result.events if event.kind == "scaled") - jump


def _tracking_cpu() -> ScaledService:
    cpu = Query(metrics={"cpu": Metric(source="cpu", combination="mean")})
    return ScaledService(
        name="Busy",
        bounds=Bounds(TASKS, MOST_TASKS),
        initial_tasks=TASKS,
        steps={},
        tracking=[Tracking(name="Cpu", policy=TrackingPolicy(target=TARGET), query=cpu)],
    )
