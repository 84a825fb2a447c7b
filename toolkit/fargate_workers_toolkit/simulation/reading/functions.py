"""Reads a function that drains a queue: Lambda's own rule scales it, and no policy of the template."""

import re

from fargate_workers_toolkit.aws_behaviour import Bounds
from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.model import FunctionUse, ScaledService, Task
from fargate_workers_toolkit.simulation.reading.metrics import QUEUE
from fargate_workers_toolkit.simulation.reading.work import max_attempts_of, read_queue
from fargate_workers_toolkit.templates import Evaluated, Resource, TemplateLocation

MAPPING = "AWS::Lambda::EventSourceMapping"
FUNCTION = "AWS::Lambda::Function"

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
AT_FIRST, A_MINUTE, MOST = 5, 300, 1_250
INVOKES_PER_POLLER, PROVISIONED_A_MINUTE = 10, 1_000

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MIB_OF_A_VCPU = 1_769
DEFAULT_MEMORY, LARGEST_MEMORY = 128, 10_240
DEFAULT_BATCH, LARGEST_BATCH = 10, 10_000
DEFAULT_TIMEOUT, LONGEST_TIMEOUT = 3, 900


def mappings_of_queues(evaluated: Evaluated) -> list[Resource]:
    """The event source mappings whose source is a queue of the assembly."""
    return [mapping for mapping in evaluated.resources(MAPPING) if _queue_of(evaluated, mapping) is not None]


class FunctionReader:
    """Reads what belongs to one event source mapping of a queue."""

    def __init__(self, evaluated: Evaluated, mapping: Resource) -> None:
        self._evaluated = evaluated
        self._mapping = mapping
        path = mapping.path or mapping.logical_id
        self.name = re.sub(r"(?<=.)/(Mapping|Resource)$", "", path)

    def is_called(self, name: str) -> bool:
        """Whether people may mean it by a name."""
        return name in (self._mapping.logical_id, self._mapping.path) or f"/{name}/" in f"/{self.name}/"

    def read(self) -> ScaledService:
        """The function as the simulation sees it.

        Raises:
            SimulationError: It cannot be simulated.
        """
        mapping = self._evaluated.properties(self._mapping)
        named = mapping["FunctionName"]
        function = self._evaluated.referred(named.value, type=FUNCTION, name="FunctionName")
        queue = _queue_of(self._evaluated, self._mapping)
        if function is None or queue is None:
            raise SimulationError(f"{named.where} is a function that the template does not hold; put it there.")
        read = read_queue(self._evaluated.properties(queue))
        if read.fifo:
            raise SimulationError(
                f"{mapping.where} drains a FIFO queue, whose groups Lambda shares out in a way that is not documented; "
                "only a function on a standard queue can be simulated."
            )
        bounds, use = _scaling(mapping)
        return ScaledService(
            name=self.name,
            bounds=bounds,
            initial_tasks=bounds.minimum,
            queue=read,
            task=_task(self._evaluated.properties(function), batch_size=use.batch_size),
            steps={},
            function=use,
        )


def _queue_of(evaluated: Evaluated, mapping: Resource) -> Resource | None:
    source = evaluated.of(mapping, mapping.properties.get("EventSourceArn"))
    return evaluated.referred(source, type=QUEUE, name="QueueName")


def _scaling(mapping: TemplateLocation) -> tuple[Bounds, FunctionUse]:
    size, scaling, pollers = (mapping.get(name) for name in ("BatchSize", "ScalingConfig", "ProvisionedPollerConfig"))
    batch = DEFAULT_BATCH if size is None else size.whole(least=1, most=LARGEST_BATCH)
    if pollers is not None:
        fewest, most = (
            INVOKES_PER_POLLER * pollers[name].whole(least=1, most=2_000)
            for name in ("MinimumPollers", "MaximumPollers")
        )
        return Bounds(fewest, most), FunctionUse(batch_size=batch, more_a_minute=PROVISIONED_A_MINUTE)
    most = MOST if scaling is None else scaling["MaximumConcurrency"].whole(least=2, most=1_000)
    return Bounds(min(AT_FIRST, most), most), FunctionUse(batch_size=batch, more_a_minute=A_MINUTE)


def _task(function: TemplateLocation, *, batch_size: int) -> Task:
    memory, timeout, given = (function.get(name) for name in ("MemorySize", "Timeout", "Environment"))
    mebibytes = DEFAULT_MEMORY if memory is None else memory.whole(least=128, most=LARGEST_MEMORY)
    variables = None if given is None else given.get("Variables")
    environment = {} if variables is None else {name: variables[name] for name in variables.mapping()}
    ours = "CONCURRENCY" in environment and "WORKER_NAME" in environment
    return Task(
        vcpus=mebibytes / MIB_OF_A_VCPU,
        gibibytes=mebibytes / 1024,
        concurrency=min(batch_size, environment["CONCURRENCY"].whole(least=1)) if ours else 1,
        stop_timeout=DEFAULT_TIMEOUT if timeout is None else timeout.whole(least=1, most=LONGEST_TIMEOUT),
        backs_off=ours,
        max_attempts=max_attempts_of(environment) if ours else None,
    )
