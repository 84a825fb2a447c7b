"""Reads what a service works on and with: its queue and its task."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fargate_workers_toolkit.errors import SimulationError
from fargate_workers_toolkit.simulation.model import Queue, Task
from fargate_workers_toolkit.simulation.reading.metrics import QUEUE
from fargate_workers_toolkit.templates import Evaluated, Resource, TemplateLocation, resources_in

TASK_DEFINITION = "AWS::ECS::TaskDefinition"

# These give a container the queue that it reads; others may be of queues to which it sends.
OWN_QUEUE = ("QUEUE_URL", "QUEUE_NAME", "SQS_QUEUE_URL", "SQS_QUEUE_NAME")

# SQS's quotas: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
LONGEST_HIDDEN = 43_200
LONGEST_DELAY = 900
SHORTEST_KEPT, LONGEST_KEPT = 60, 1_209_600
MOST_RECEIVES = 1_000

# Where the runtime sends what it gives up, by broker.
DEAD_LETTERS = ("DEAD_LETTER_QUEUE_URL", "KAFKA_DEAD_LETTER_TOPIC", "STREAM_DEAD_LETTERS", "LIST_DEAD_LETTERS")
# Kafka's default, after which the partitions of a member that died go to others.
GROUP_SESSION = 45
# Retentions of topics are not read: who waits for days has been seen long before.
FOR_EVER = 3_650 * 86_400
UNBOUNDED = 10**9

# The runtime's defaults.
LEASE = 120
MAX_ATTEMPTS = 10
MAX_PROCESSING = 900

# More than any quota allows, and less than would exhaust memory.
MOST_TASKS = 100_000


class WorkReader:
    """The queue and the tasks of one service."""

    def __init__(self, evaluated: Evaluated, service: Resource) -> None:
        self._evaluated = evaluated
        self._service = service
        self._properties = evaluated.properties(service)
        _refuse_instances(self._properties)
        self._definition = self._task_definition()
        containers = list(self._definition["ContainerDefinitions"])
        if not containers:
            raise self._definition["ContainerDefinitions"].wrong("a list of at least one container")
        self._container = next((each for each in containers if _is_essential(each)), containers[0])
        given = [each for each in self._container.parts("Environment") if each.get("Value") is not None]
        self._environment = {each["Name"].text(): each["Value"] for each in given}

    def queue(self, watched: list[Resource]) -> Queue:
        """The queue that the policies watch; else the one in the container's environment, dead-letter queues aside.

        A topic, a stream or a list stands in for one: what is not done waits, and is delivered again after the lease of
        a task that died, or after the session of its group's member.
        """
        if self.is_observed:
            return self._other_source(self._environment["BROKER"])
        queues = watched or self._queues_in_environment()
        where = self._evaluated.where(self._service)
        if len(queues) > 1:
            names = ", ".join(queue.path or queue.logical_id for queue in queues)
            raise SimulationError(f"{where} follows several queues ({names}); only one can be simulated.")
        if not queues:
            raise SimulationError(
                f"{where} follows no queue of the template; let a policy watch one, or an environment variable of its "
                "container name it."
            )
        return read_queue(self._evaluated.properties(queues[0]))

    @property
    def is_observed(self) -> bool:
        """Whether the source is none of SQS, so that a planner knows it by metrics alone."""
        broker = self._environment.get("BROKER")
        return broker is not None and broker.value != "sqs"

    def _other_source(self, broker: TemplateLocation) -> Queue:
        if broker.one_of(("kafka", "redis-stream", "redis-list")) == "kafka":
            return Queue(visibility_timeout=GROUP_SESSION, retention=FOR_EVER, most_in_flight=UNBOUNDED)
        lease, receives = (self._environment.get(name) for name in ("VISIBILITY_TIMEOUT_SECONDS", "MAX_RECEIVE_COUNT"))
        return Queue(
            visibility_timeout=LEASE if lease is None else lease.number(least=0, most=LONGEST_HIDDEN),
            max_receive_count=None if receives is None else receives.whole(least=1, most=MOST_RECEIVES),
            retention=FOR_EVER,
            most_in_flight=UNBOUNDED,
        )

    def task(self) -> Task:
        definition, environment = self._definition, self._environment
        ours = self._is_ours
        limit = environment.get("RATE_LIMIT_PER_SECOND") if ours else None
        timeout = self._container.get("StopTimeout")
        task = Task(
            vcpus=_size(definition.get("Cpu"), unit="vcpu", default=Task.vcpus),
            gibibytes=_size(definition.get("Memory"), unit="gb", default=Task.gibibytes),
            concurrency=environment["CONCURRENCY"].whole(least=1) if ours else Task.concurrency,
            prefetches=ours,
            stop_timeout=Task.stop_timeout if timeout is None else timeout.number(least=0),
            rate_limit=None if limit is None else limit.number(least=0.001),
            spot_from=_spot_from(self._properties),
            backs_off=ours,
            max_attempts=max_attempts_of(environment) if ours else None,
        )
        return replace(task, protected=ours and self._max_processing() > task.drain)

    def _max_processing(self) -> int:
        """Seconds that a handler may take; the runtime does not ask for protection where all end within the drain."""
        longest = self._environment.get("MAX_PROCESSING_SECONDS")
        return MAX_PROCESSING if longest is None else longest.whole(least=1)

    @property
    def _is_ours(self) -> bool:
        """Whether the container has the variables by which this project's constructs configure its runtime."""
        return "CONCURRENCY" in self._environment and "WORKER_NAME" in self._environment

    def _task_definition(self) -> TemplateLocation:
        named = self._properties["TaskDefinition"]
        definition = self._evaluated.referred(named.value, type=TASK_DEFINITION, name="Family")
        if definition is None:
            raise SimulationError(f"{named.where} is a task definition that the template does not hold; put it there.")
        return self._evaluated.properties(definition)

    def _queues_in_environment(self) -> list[Resource]:
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


def read_queue(properties: TemplateLocation) -> Queue:
    """A queue, from its evaluated properties."""
    _refuse_delay(properties)
    hidden, kept = properties.get("VisibilityTimeout"), properties.get("MessageRetentionPeriod")
    fifo, redrive = properties.get("FifoQueue"), _redrive_policy(properties)
    receives = None if redrive is None else redrive["maxReceiveCount"].whole(least=1, most=MOST_RECEIVES)
    return Queue(
        visibility_timeout=Queue.visibility_timeout if hidden is None else hidden.number(least=0, most=LONGEST_HIDDEN),
        max_receive_count=receives,
        retention=Queue.retention if kept is None else kept.number(least=SHORTEST_KEPT, most=LONGEST_KEPT),
        fifo=fifo is not None and fifo.flag(),
    )


def max_attempts_of(environment: Mapping[str, TemplateLocation]) -> int | None:
    """The runtime's most attempts; None without a dead-letter queue to which it may send: it gives none up."""
    if not any(_is_set(environment.get(name)) for name in DEAD_LETTERS):
        return None
    attempts, receives = (environment.get(name) for name in ("MAX_ATTEMPTS", "MAX_RECEIVE_COUNT"))
    most = MAX_ATTEMPTS if attempts is None else attempts.whole(least=1, most=MOST_RECEIVES)
    guard = 0 if receives is None else receives.whole(least=0, most=MOST_RECEIVES)
    return min(most, guard or most)


def _is_set(place: TemplateLocation | None) -> bool:
    """Whether it is there, and not empty."""
    return place is not None and place.value != ""


def _is_essential(container: TemplateLocation) -> bool:
    essential = container.get("Essential")
    return essential is None or essential.flag()


def _refuse_instances(service: TemplateLocation) -> None:
    launch = service.get("LaunchType")
    if launch is not None and launch.value != "FARGATE":
        raise SimulationError(f"{launch.where} is {launch.value}; only tasks on FARGATE can be simulated and priced.")
    for item in service.parts("CapacityProviderStrategy"):
        provider = item["CapacityProvider"]
        if provider.value not in ("FARGATE", "FARGATE_SPOT"):
            raise SimulationError(
                f"{provider.where} is none of FARGATE and FARGATE_SPOT; tasks on instances cannot be simulated."
            )


def _refuse_delay(queue: TemplateLocation) -> None:
    delay = queue.get("DelaySeconds")
    if delay is not None and (seconds := delay.whole(least=0, most=LONGEST_DELAY)):
        raise SimulationError(
            f"{delay.where} hides each message for {seconds} s at first, which cannot be simulated; leave it out, and "
            "take as much off the SLO."
        )


def _redrive_policy(properties: TemplateLocation) -> TemplateLocation | None:
    """An object, or the same as text."""
    policy = properties.get("RedrivePolicy")
    if policy is None or not isinstance(policy.value, str):
        return policy
    try:
        parsed: Any = json.loads(policy.value)
    except ValueError:
        raise policy.wrong("an object of JSON") from None
    return TemplateLocation(parsed, policy.where)


def _spot_from(service: TemplateLocation) -> int | None:
    """How many tasks come before those on Spot, where all that follow are; None where none or only some are."""
    strategy = service.parts("CapacityProviderStrategy")
    weights = {str(item["CapacityProvider"].value): _count(item.get("Weight")) for item in strategy}
    if not weights.get("FARGATE_SPOT") or weights.get("FARGATE"):
        return None
    return sum(_count(item.get("Base")) for item in strategy if item["CapacityProvider"].value == "FARGATE")


def _count(place: TemplateLocation | None) -> int:
    return 0 if place is None else place.whole(least=0, most=MOST_TASKS)


def _size(place: TemplateLocation | None, *, unit: str, default: float) -> float:
    """A size in vCPU or GB, where the unit is there; else in 1024ths of it."""
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
