"""The policies that for_latency is measured beside, each with the settings its author gives it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from benchmarks.scaling.keda import simulate_keda
from benchmarks.scaling.services import article, fixed, for_latency, tracking
from fargate_workers_toolkit.simulation.loads.built_in import WORK_SECONDS
from fargate_workers_toolkit.simulation.loads.load import Load
from fargate_workers_toolkit.simulation.model import Queue, ScaledService
from fargate_workers_toolkit.simulation.result import Result
from fargate_workers_toolkit.simulation.simulate import simulate

SLO = 300
#: Tasks at most, for everybody.
MOST_TASKS = 50

Run = Callable[[Load, Queue, int], Result]
"""Simulates a load with a queue and a seed."""

OURS = "for_latency"
OURS_FRUGAL = "for_latency, mode cost"


def _service(made: Callable[..., ScaledService], load: Load, queue: Queue, seed: int) -> Result:
    return simulate(replace(made(queue=queue), initial_tasks=5), load, slo=SLO, seed=seed)


def _keda(queue_length: int, load: Load, queue: Queue, seed: int) -> Result:
    return simulate_keda(for_latency(queue=queue), load, queue_length=queue_length, slo=SLO, seed=seed)


def _backlog_per_task(*, queue: Queue) -> ScaledService:
    # As many messages a task as it works off within the acceptable latency.
    # https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-target-tracking-metric-math.html
    return replace(tracking(SLO / 0.5), queue=queue)


CONTESTANTS: Mapping[str, Run] = {
    OURS: partial(_service, for_latency),
    OURS_FRUGAL: partial(_service, partial(for_latency, mode="cost")),
    "the article's steps, in by one, cooldowns of 300 s": partial(_service, partial(article, cooldowns=(300, 300))),
    "the article's steps, in by one, cooldowns of 60 and 600 s": partial(_service, article),
    "AWS's backlog per task, by metric math": partial(_service, _backlog_per_task),
    "KEDA, 1 message a task": partial(_keda, 1),
    "KEDA, 10 messages a task": partial(_keda, 10),
    "KEDA, 100 messages a task": partial(_keda, 100),
    "KEDA, 200 s of work a task": partial(_keda, round(200 / WORK_SECONDS)),
}


def most_tasks(load: Load, queue: Queue, seed: int) -> Result:
    """As many tasks as there may be, always: what these miss no policy can help."""
    return simulate(fixed(MOST_TASKS, queue=queue), load, slo=SLO, seed=seed)
