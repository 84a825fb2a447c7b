"""Reads what a service works on and with: its queue and its task."""

import json
import math
from typing import Any

from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.model import Queue, Task
from fargate_workers_toolkit.simulation.templates.evaluated import Evaluated
from fargate_workers_toolkit.simulation.templates.metrics import QUEUE
from fargate_workers_toolkit.simulation.templates.place import Place
from fargate_workers_toolkit.template import Resource
from fargate_workers_toolkit.template_values import resources_in

TASK_DEFINITION = "AWS::ECS::TaskDefinition"

# By these a container is told of the queue that it reads; others may be of queues to which it sends.
OWN_QUEUE = ("QUEUE_URL", "QUEUE_NAME", "SQS_QUEUE_URL", "SQS_QUEUE_NAME")

# SQS's quotas: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
LONGEST_HIDDEN = 43_200
LONGEST_DELAY = 900
SHORTEST_KEPT, LONGEST_KEPT = 60, 1_209_600
MOST_RECEIVES = 1_000

# More than any quota allows, and less than would exhaust memory.
MOST_TASKS = 100_000


class WorkReader:
    """For one service."""

    def __init__(self, evaluated: Evaluated, service: Resource) -> None:
        self._evaluated = evaluated
        self._service = service
        self._properties = evaluated.properties(service)
        self._definition = self._task_definition()
        containers = list(self._definition["ContainerDefinitions"])
        if not containers:
            raise self._definition["ContainerDefinitions"].wrong("a list of at least one container")
        self._container = next((each for each in containers if _is_essential(each)), containers[0])
        told = [each for each in self._container.parts("Environment") if each.get("Value") is not None]
        self._environment = {each["Name"].text(): each["Value"] for each in told}

    def queue(self, watched: list[Resource]) -> Queue:
        """The queue that the policies watch; else the one, dead-letter queues aside, that the container is told of."""
        queues = watched or self._told_of()
        where = self._evaluated.where(self._service)
        if len(queues) > 1:
            names = ", ".join(queue.path or queue.logical_id for queue in queues)
            raise SimulationError(f"{where} follows several queues ({names}); only one can be simulated.")
        if not queues:
            raise SimulationError(
                f"{where} follows no queue of the template; let a policy watch one, or an environment variable of its "
                "container name it."
            )
        properties = self._evaluated.properties(queues[0])
        _refuse_delay(properties)
        hidden, kept = properties.get("VisibilityTimeout"), properties.get("MessageRetentionPeriod")
        fifo, redrive = properties.get("FifoQueue"), _redrive_policy(properties)
        receives = None if redrive is None else redrive["maxReceiveCount"].whole(least=1, most=MOST_RECEIVES)
        return Queue(
            visibility_timeout=Queue.visibility_timeout
            if hidden is None
            else hidden.number(least=0, most=LONGEST_HIDDEN),
            max_receive_count=receives,
            retention=Queue.retention if kept is None else kept.number(least=SHORTEST_KEPT, most=LONGEST_KEPT),
            fifo=fifo is not None and fifo.flag(),
        )

    def task(self) -> Task:
        definition, environment = self._definition, self._environment
        # The variables by which this project's constructs talk to its runtime.
        ours = "CONCURRENCY" in environment and "WORKER_NAME" in environment
        limit = environment.get("RATE_LIMIT_PER_SECOND") if ours else None
        timeout = self._container.get("StopTimeout")
        return Task(
            vcpus=_size(definition.get("Cpu"), unit="vcpu", default=Task.vcpus),
            gibibytes=_size(definition.get("Memory"), unit="gb", default=Task.gibibytes),
            concurrency=environment["CONCURRENCY"].whole(least=1) if ours else Task.concurrency,
            prefetches=ours,
            protected=ours,
            stop_timeout=Task.stop_timeout if timeout is None else timeout.number(least=0),
            rate_limit=None if limit is None else limit.number(least=0.001),
            spot_from=_spot_from(self._properties),
        )

    def _task_definition(self) -> Place:
        named = self._properties["TaskDefinition"]
        definition = self._evaluated.referred(named.value, type=TASK_DEFINITION, name="Family")
        if definition is None:
            raise SimulationError(f"{named.where} is a task definition that the template does not hold; put it there.")
        return self._evaluated.properties(definition)

    def _told_of(self) -> list[Resource]:
        own = [self._environment[name] for name in OWN_QUEUE if name in self._environment]
        for places in (own, list(self._environment.values())):
            found = [item for place in places for item in resources_in(place.value) if item.type == QUEUE]
            queues = {id(item): item for item in found if not self._is_dead_letter_queue(item)}
            if queues:
                return list(queues.values())
        return []

    def _is_dead_letter_queue(self, queue: Resource) -> bool:
        policies = [
            self._evaluated.of(each, each.properties.get("RedrivePolicy")) for each in self._evaluated.resources(QUEUE)
        ]
        return any(item is queue for policy in policies for item in resources_in(policy))


def _is_essential(container: Place) -> bool:
    essential = container.get("Essential")
    return essential is None or essential.flag()


def _refuse_delay(queue: Place) -> None:
    delay = queue.get("DelaySeconds")
    if delay is not None and (seconds := delay.whole(least=0, most=LONGEST_DELAY)):
        raise SimulationError(
            f"{delay.where} hides each message for {seconds} s at first, which cannot be simulated; leave it out, and "
            "take as much off the SLO."
        )


def _redrive_policy(properties: Place) -> Place | None:
    """An object, or the same as text."""
    policy = properties.get("RedrivePolicy")
    if policy is None or not isinstance(policy.value, str):
        return policy
    try:
        parsed: Any = json.loads(policy.value)
    except ValueError:
        raise policy.wrong("an object of JSON") from None
    return Place(parsed, policy.where)


def _spot_from(service: Place) -> int | None:
    """How many tasks come before those on Spot, where all that follow are; None where none or only some are."""
    strategy = service.parts("CapacityProviderStrategy")
    weights = {str(item["CapacityProvider"].value): _count(item.get("Weight")) for item in strategy}
    if not weights.get("FARGATE_SPOT") or weights.get("FARGATE"):
        return None
    return sum(_count(item.get("Base")) for item in strategy if item["CapacityProvider"].value == "FARGATE")


def _count(place: Place | None) -> int:
    return 0 if place is None else place.whole(least=0, most=MOST_TASKS)


def _size(place: Place | None, *, unit: str, default: float) -> float:
    """In vCPU or GB, where the unit is there; else in 1024ths of it."""
    if place is None:
        return default
    text = str(place.value).lower().replace(" ", "")
    number, divisor = (text.removesuffix(unit), 1) if text.endswith(unit) else (place.value, 1024)
    try:
        size = float(number) / divisor
    except (TypeError, ValueError):
        size = math.nan
    if not 0 < size <= 1024:
        raise place.wrong(f"a size such as 512 or 0.5 {unit}")
    return size
