"""Reads the workers of an environment out of a cloud assembly."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fargate_workers_toolkit.errors import AssemblyError, ExportError, SimulationError
from fargate_workers_toolkit.export.known_values import KnownValues, region_of
from fargate_workers_toolkit.export.worker import ExportedWorker, HealthCheck
from fargate_workers_toolkit.templates import Evaluated, Resource, TemplateLocation, resources_in

SERVICE = "AWS::ECS::Service"
TASK_DEFINITION = "AWS::ECS::TaskDefinition"
TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
#: A container that has these runs this project's runtime.
OURS = {"WORKER_NAME", "CONCURRENCY"}
MOST_TASKS = 100_000


def read_workers(
    path: Path, environment: str, known: KnownValues, *, name: str | None = None
) -> tuple[ExportedWorker, ...]:
    """The workers of an environment, in the alphabet's order.

    Args:
        path: A cloud assembly, or one template in a JSON file.
        environment: The name of the environment: of a stage, or of a stack.
        known: Turns values into text.
        name: The construct id of the only worker wanted. Defaults to None: all.

    Raises:
        ExportError: There is no such environment or worker, or one cannot be read.
    """
    try:
        evaluated = Evaluated(path)
        services = [each for each in evaluated.resources(SERVICE) if _belongs(each, environment)]
        if not services:
            places = sorted({each.path.partition("/")[0] or each.stack for each in evaluated.resources(SERVICE)})
            raise ExportError(
                f"{path} has no worker of {environment}; it has those of: {', '.join(places) or 'nobody'}."
            )
        found = [_Reader(evaluated, service, known) for service in services]
        workers = [each for each in found if each.is_worker and (name is None or each.id == name)]
        if not workers:
            names = ", ".join(sorted(each.id for each in found if each.is_worker)) or "none"
            raise ExportError(f"{path} has no worker {name or ''} in {environment}; its workers: {names}.")
        twice = {each.id for each in workers if sum(other.id == each.id for other in workers) > 1}
        read = [each.read(name=each.long_name if each.id in twice else each.short_name) for each in workers]
        return tuple(sorted(read, key=lambda worker: worker.name))
    except (AssemblyError, SimulationError) as error:
        raise ExportError(str(error)) from None


def _belongs(service: Resource, environment: str) -> bool:
    """By the stage in the construct path; where templates lack that, by the stack's name, which begins with it."""
    return environment in (service.path.partition("/")[0], service.stack) or (
        not service.path and service.stack.startswith(f"{environment}-")
    )


@dataclass
class _Reader:
    """Reads one service, its task definition and what scales it."""

    evaluated: Evaluated
    service: Resource
    known: KnownValues

    def __post_init__(self) -> None:
        definition = self._definition()
        self._task = None if definition is None else self.evaluated.properties(definition)
        self._container = None if self._task is None else next(iter(self._task["ContainerDefinitions"]), None)
        given = [] if self._container is None else self._container.parts("Environment")
        self._variables = {each["Name"].text(): each["Value"].value for each in given if each.get("Value") is not None}
        called = str(self._variables.get("WORKER_NAME", self.service.logical_id))
        self.path = re.sub(r"(/Service)+$", "", self.service.path) or called
        self.id = self.path.rpartition("/")[2]
        self.short_name = _hyphened(self.id)
        self.long_name = _hyphened(f"{self.service.stack}-{self.id}")

    @property
    def is_worker(self) -> bool:
        """Whether the container runs this project's runtime."""
        return self._variables.keys() >= OURS

    def read(self, *, name: str) -> ExportedWorker:
        task, container = self._task, self._container
        if task is None or container is None:
            raise ExportError(f"{self.path} has no task definition in the template; put it there.")
        user, _, group = _text(container.get("User")).partition(":")
        least, most = self._bounds()
        policy = self._planner_policy()
        platform = task.get("RuntimePlatform")
        architecture = _text(None if platform is None else platform.get("CpuArchitecture")) or "X86_64"
        return ExportedWorker(
            name=name,
            path=self.path,
            region=region_of(self.service),
            image=self._known(container["Image"].value),
            entry_point=tuple(self._known(each.value) for each in container.parts("EntryPoint")),
            command=tuple(self._known(each.value) for each in container.parts("Command")),
            init_process=_has_init_process(container),
            environment={key: self._known(value) for key, value in self._variables.items()},
            secrets={each["Name"].text(): self._known(each["ValueFrom"].value) for each in container.parts("Secrets")},
            user=int(user) if user.isdecimal() else None,
            group=int(group) if group.isdecimal() else None,
            read_only=(flag := container.get("ReadonlyRootFilesystem")) is not None and flag.flag(),
            vcpus=task["Cpu"].number(least=1) / 1_024,
            mebibytes=task["Memory"].whole(least=1),
            architecture={"ARM64": "arm64"}.get(architecture, "amd64"),
            stop_timeout=_whole(container.get("StopTimeout"), 30),
            health=_health(container.get("HealthCheck")),
            role_arn=self._known(task["TaskRoleArn"].value),
            least=least,
            most=most,
            latency=policy.get("acceptable_latency"),
            seconds_a_message=policy.get("processing_time", 1),
            backlog_per_task=self._backlog_per_task(),
        )

    def _known(self, value: Any) -> str:
        return self.known.text(value, resource=self.service)

    def _definition(self) -> Resource | None:
        named = self.evaluated.of(self.service, self.service.properties.get("TaskDefinition"))
        return self.evaluated.referred(named, type=TASK_DEFINITION, name="Family")

    def _target(self) -> Resource | None:
        for target in self.evaluated.resources(TARGET):
            named = self.evaluated.of(target, target.properties.get("ResourceId"))
            if any(resource is self.service for resource in resources_in(named)):
                return target
        return None

    def _bounds(self) -> tuple[int, int]:
        target = self._target()
        if target is None:
            properties = self.evaluated.properties(self.service)
            count = _whole(properties.get("DesiredCount"), 1)
            return count, count
        properties = self.evaluated.properties(target)
        least = properties["MinCapacity"].whole(least=0, most=MOST_TASKS)
        return least, properties["MaxCapacity"].whole(least=max(1, least), most=MOST_TASKS)

    def _policies(self) -> Iterator[Resource]:
        target = self._target()
        for policy in self.evaluated.resources(POLICY):
            named = self.evaluated.of(policy, policy.properties.get("ScalingTargetId"))
            if target is not None and any(resource is target for resource in resources_in(named)):
                yield policy

    def _planner_policy(self) -> Mapping[str, float]:
        """What the planner plans by, as the library records it; empty where none plans."""
        for policy in self._policies():
            metadata = self.evaluated.of(policy, policy.metadata.get("fargate-workers"))
            if isinstance(metadata, dict) and "planner" in metadata:
                place = TemplateLocation(metadata["planner"], f"{self.evaluated.where(policy)}.Metadata")["policy"]
                numbers = ("acceptable_latency", "processing_time")
                return {name: place[name].number(least=0.001) for name in numbers if place.get(name) is not None}
        return {}

    def _backlog_per_task(self) -> float | None:
        """The target of a target tracking, which this project's library sets on the backlog per task alone."""
        for policy in self._policies():
            tracking = self.evaluated.properties(policy).get("TargetTrackingScalingPolicyConfiguration")
            if tracking is not None:
                return tracking["TargetValue"].number(least=0.001)
        return None


def _health(place: TemplateLocation | None) -> HealthCheck | None:
    if place is None:
        return None
    kind, *arguments = [each.text() for each in place["Command"]]
    if kind not in ("CMD", "CMD-SHELL"):
        return None
    return HealthCheck(
        command=("/bin/sh", "-c", *arguments) if kind == "CMD-SHELL" else tuple(arguments),
        interval=_whole(place.get("Interval"), 30),
        timeout=_whole(place.get("Timeout"), 5),
        retries=_whole(place.get("Retries"), 3),
        start_period=_whole(place.get("StartPeriod"), 0),
    )


def _has_init_process(container: TemplateLocation) -> bool:
    linux = container.get("LinuxParameters")
    found = None if linux is None else linux.get("InitProcessEnabled")
    return found is not None and found.flag()


def _whole(place: TemplateLocation | None, default: int) -> int:
    return default if place is None else place.whole(least=0)


def _text(place: TemplateLocation | None) -> str:
    return place.value if place is not None and isinstance(place.value, str) else ""


def _hyphened(name: str) -> str:
    """`ApplyOrders` as `apply-orders`: a DNS label, as Kubernetes takes names."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+", "-", name)
    return re.sub(r"-+", "-", words).strip("-").lower()[:50].rstrip("-")
