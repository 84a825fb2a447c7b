"""What handles messages: tasks on Fargate, a function on Lambda, pods that KEDA scales on EKS."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fargate_workers_toolkit.choosing import limits
from fargate_workers_toolkit.choosing.gauges import Gauge, Obstacle, broken
from fargate_workers_toolkit.choosing.system import System, gathered, is_patient
from fargate_workers_toolkit.choosing.workload import Workload
from fargate_workers_toolkit.cost import HOURS, Line, Prices

# A task, and a pod: the defaults of QueueWorker.
TASK_VCPUS, TASK_GIGABYTES, CONCURRENCY = 0.25, 0.5, 10
#: `max_tasks` unless more are needed.
MAX_TASKS = 10
#: Messages a second that a quarter of a vCPU receives and acknowledges: 0.4 ms each, measured (docs/benchmarks.md).
TASK_RATE = TASK_VCPUS / 0.0004
#: The part of its tasks that a service keeps busy on a varied day; the rest is reserve.
USE = 0.7
#: Seconds until a further task helps. To accept less, the tasks of the busiest minutes run all day.
REACTION = 150
#: Polls of an empty queue a month: three a minute.
POLLS = 3 * 60 * HOURS
#: Pollers that a mapping keeps; Lambda may go down to two where no maximum concurrency is set.
POLLERS = 5
FUNCTION_GIGABYTES = 0.5
#: Seconds that an invocation takes beyond its handlers; measured with ten messages.
INVOCATION = 0.024
#: Seconds of a function's time-out that are the runtime's.
FUNCTION_RESERVE = 10
#: QueueFunction's own max_concurrency and max_processing.
MAX_CONCURRENCY, MAX_PROCESSING = 10, 60
#: Pods of a quarter of a vCPU on an m7g.large, beside what Kubernetes itself needs there.
PODS_A_NODE, LEAST_NODES = 6, 2


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One kind of worker for one system and one workload.

    Args:
        key: Its name in JSON.
        name: Its name for people.
        hindrances: What stands against it, limits aside.
        lines: What it costs a month.
        size: How many run, for a person.
        gauges: How much of its limits the workload uses. Defaults to none.
        code: The lines of Python, where they differ from those of the system. Defaults to none.
    """

    key: str
    name: str
    hindrances: tuple[Obstacle, ...]
    lines: tuple[Line, ...]
    size: str
    gauges: tuple[Gauge, ...] = ()
    code: tuple[str, ...] = ()

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """Why it cannot do the work; empty where it can."""
        return (*self.hindrances, *broken(self.gauges))


def tasks_for(workload: Workload, rate: float) -> float:
    """Tasks that so many messages a second keep busy.

    Args:
        workload: The workload.
        rate: Messages a second.
    """
    return max(rate * workload.handler_seconds / CONCURRENCY, rate / TASK_RATE)


def fargate_tasks(workload: Workload) -> float:
    """Tasks of one reader, the mean of a month, and at least one.

    Args:
        workload: The workload.
    """
    mean = tasks_for(workload, workload.rate) / USE
    prompt = workload.latency is not None and workload.latency < REACTION
    return max(1.0, mean, tasks_for(workload, workload.peak_rate) if prompt else 0)


def most_tasks(workload: Workload) -> int:
    """The `max_tasks` of one reader: the tasks of the busiest minutes, some of them in reserve.

    Args:
        workload: The workload.
    """
    if workload.ordering == "total":
        return 1
    return max(MAX_TASKS, math.ceil(tasks_for(workload, workload.peak_rate) / USE))


def worker_line(workload: Workload, *, source: str = "source=orders") -> str:
    """The line of Python that makes the worker.

    Args:
        workload: The workload.
        source: What it drains, as an argument. Defaults to `source=orders`.
    """
    most = most_tasks(workload)
    scaling = "" if most == MAX_TASKS else f"scaling=Scaling.for_latency(max_tasks={most})"
    options = ", ".join(["cluster=cluster", "image=image", *(each for each in (source, scaling) if each)])
    return f'QueueWorker(self, "Apply", {options})'


def function_pollers(workload: Workload) -> float:
    """Batches that Lambda handles at once, the mean of a month, and at least the five it begins with.

    Args:
        workload: The workload.
    """
    return max(POLLERS, workload.rate * workload.handler_seconds / CONCURRENCY)


def on_fargate(workload: Workload, prices: Prices, _system: System) -> Worker:
    """Tasks on Fargate, which drain any system.

    Args:
        workload: The workload.
        prices: The prices.
    """
    hours = workload.readers * fargate_tasks(workload) * HOURS
    return Worker(
        key="fargate",
        name="Fargate",
        hindrances=(),
        lines=(
            Line(what="vCPUs", quantity=hours * TASK_VCPUS, price=prices["fargate.vcpu_hour"]),
            Line(what="memory", quantity=hours * TASK_GIGABYTES, price=prices["fargate.gigabyte_hour"]),
        ),
        size=_size(workload, "task"),
    )


def on_lambda(workload: Workload, prices: Prices, system: System) -> Worker:
    """A function on Lambda, which handles the messages of an invocation side by side.

    Args:
        workload: The workload.
        prices: The prices.
        system: What it drains.
    """
    batch = function_batch(workload, fifo=_is_fifo(system))
    invocations = workload.readers * workload.monthly / batch
    seconds = invocations * (workload.handler_seconds + INVOCATION)
    most = workload.peak_rate * (workload.handler_seconds + INVOCATION) / batch
    return Worker(
        key="lambda",
        name="Lambda",
        hindrances=tuple(_no_mapping(system)),
        gauges=tuple(_function_gauges(workload, most)),
        lines=(
            Line(what="invocations", quantity=invocations, price=prices["lambda.request"]),
            Line(what="duration", quantity=seconds * FUNCTION_GIGABYTES, price=prices["lambda.gigabyte_second"]),
        ),
        size=f"{workload.readers * max(1, most):,.0f} at once in the busiest minutes, {batch:.1f} messages each",
        code=tuple(_function_code(workload, system, most)),
    )


def on_kubernetes(workload: Workload, prices: Prices, system: System) -> Worker:
    """Pods on EKS, scaled by KEDA.

    Args:
        workload: The workload.
        prices: The prices.
        system: What they drain.
    """
    nodes = max(LEAST_NODES, workload.readers * fargate_tasks(workload) / PODS_A_NODE)
    return Worker(
        key="keda",
        name="KEDA on EKS",
        hindrances=tuple(_no_scaler(system)),
        lines=(
            Line(what="the cluster", quantity=HOURS, price=prices["eks.cluster_hour"]),
            Line(what="nodes", quantity=nodes * HOURS, price=prices["ec2.m7g_large_hour"]),
        ),
        size=_size(workload, "pod"),
    )


#: Every kind of worker.
WORKERS: tuple[Callable[[Workload, Prices, System], Worker], ...] = (on_fargate, on_lambda, on_kubernetes)


def _no_mapping(system: System) -> Iterator[Obstacle]:
    if "lambda" not in system.reading:
        yield Obstacle(text=f"QueueFunction drains queues, not {system.name}", source="this library")


def function_batch(workload: Workload, *, fifo: bool) -> float:
    """Messages of an invocation, the mean of a month. A FIFO queue has no batch window, so that few gather.

    Args:
        workload: The workload.
        fifo: Whether the queue is FIFO.
    """
    return gathered(workload, workload.rate / function_pollers(workload), window=not fifo)


def _is_fifo(system: System) -> bool:
    return system.name.endswith("FIFO")


def _function_code(workload: Workload, system: System, most: float) -> Iterator[str]:
    """A function makes its queue itself, with the visibility timeout that Lambda needs."""
    fifo = _is_fifo(system)
    options = ["image=image", 'command="shop.apply"']
    if fifo:
        options.append("fifo=True")
    elif is_patient(workload):
        options.append("batch_window=Duration.seconds(1)")
    if most > MAX_CONCURRENCY:
        options.append(f"max_concurrency={min(math.ceil(most / USE), round(limits.LAMBDA_CONCURRENCY.most))}")
    if workload.handler_seconds > MAX_PROCESSING / 2:
        longest = round(limits.LAMBDA_SECONDS.most) - FUNCTION_RESERVE
        options.append(f"max_processing=Duration.seconds({min(2 * math.ceil(workload.handler_seconds), longest)})")
    line = f'QueueFunction(self, "Apply", {", ".join(options)})'
    if system.key != "sns-sqs":
        yield line
        return
    yield f"apply = {line}  # one a reader"
    yield "apply.subscribe(topic)"


def _function_gauges(workload: Workload, most: float) -> Iterator[Gauge]:
    yield Gauge(
        what="seconds of one invocation",
        whose="Lambda",
        used=workload.handler_seconds + FUNCTION_RESERVE,
        limit=limits.LAMBDA_SECONDS,
        grows=False,
    )
    yield Gauge(what="invocations at once", whose="Lambda", used=most, limit=limits.LAMBDA_CONCURRENCY)


def _no_scaler(system: System) -> Iterator[Obstacle]:
    if system.key in ("redis-stream", "redis-list"):
        yield Obstacle(
            text="KEDA's scalers for Redis sign in by password, and RedisCache has none", source=limits.KEDA_REDIS
        )


def _size(workload: Workload, what: str) -> str:
    mean, most = (
        workload.readers * max(1.0, tasks)
        for tasks in (fargate_tasks(workload), tasks_for(workload, workload.peak_rate))
    )
    return f"{mean:,.1f} {what}s on average, {max(mean, most):,.0f} in the busiest minutes"
