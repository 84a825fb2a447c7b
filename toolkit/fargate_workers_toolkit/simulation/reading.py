"""Reads scaled services out of a cloud assembly or a template: whatever follows AWS's resource types, not only ours."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from fargate_workers_toolkit.semantics.alarm_evaluation import comparison_named
from fargate_workers_toolkit.semantics.cooldown import Bounds
from fargate_workers_toolkit.semantics.step_scaling import StepPolicy
from fargate_workers_toolkit.semantics.target_tracking import TrackingPolicy
from fargate_workers_toolkit.simulation.errors import SimulationError
from fargate_workers_toolkit.simulation.metric_sources import metric_of, names_of, query_of
from fargate_workers_toolkit.simulation.model import (
    Alarm,
    Metric,
    PlannerUse,
    Query,
    Queue,
    ScaledService,
    Task,
    Tracking,
)
from fargate_workers_toolkit.simulation.planner import find_code
from fargate_workers_toolkit.simulation.scheduled_actions import scheduled_actions
from fargate_workers_toolkit.template import Assembly, AssemblyError, Reference, Resource

POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
SERVICE = "AWS::ECS::Service"


def read_services(path: Path) -> list[ScaledService]:
    """Every scaled service at `path`. Raises SimulationError, in one sentence, for what cannot be simulated."""
    try:
        assembly = Assembly.read(path)
        targets = [target for target in assembly.resources(type=TARGET) if _scales_service(target)]
        if not targets:
            raise SimulationError(f"{path} has no scaled ECS service: no ScalableTarget of ecs:service:DesiredCount.")
        return [_Reader(path, assembly, target).read() for target in targets]
    except AssemblyError as error:
        raise SimulationError(str(error)) from None


def read_service(path: Path, *, name: str | None = None) -> ScaledService:
    """The scaled service at `path`, or where there are several the one of that construct path or id."""
    services = read_services(path)
    found = [service for service in services if name is None or name in (service.name, *service.name.split("/"))]
    if len(found) != 1:
        names = ", ".join(service.name for service in services)
        raise SimulationError(f"{path} has {len(found) or 'none'} of the services asked for; name one of {names}.")
    return found[0]


def _scales_service(target: Resource) -> bool:
    return target.properties.get("ScalableDimension") == "ecs:service:DesiredCount"


class _Reader:
    """Reads what belongs to one scalable target."""

    def __init__(self, path: Path, assembly: Assembly, target: Resource) -> None:
        self._path = path
        self._assembly = assembly
        self._target = target

    def read(self) -> ScaledService:
        target, service = self._target.properties, self._service()
        name = re.sub(r"(/Service)+$", "", service.path) or service.logical_id
        policies = [policy for policy in self._assembly.resources(type=POLICY) if self._belongs(policy)]
        planner = self._planner(policies)
        steps = [policy for policy in policies if policy.properties["PolicyType"] == "StepScaling"]
        tracking = [policy for policy in policies if policy.properties["PolicyType"] == "TargetTrackingScaling"]
        if len(steps) + len(tracking) < len(policies) or not policies:
            raise SimulationError(f"{name} is not scaled by step scaling or target tracking policies.")
        alarms = self._alarms({(policy.stack, policy.logical_id) for policy in steps}, planned=planner is not None)
        bounds = Bounds(
            self._number(target["MinCapacity"], "MinCapacity"), self._number(target["MaxCapacity"], "MaxCapacity")
        )
        return ScaledService(
            name=name,
            bounds=bounds,
            initial_tasks=bounds.clamp(self._number(service.properties.get("DesiredCount", 1), "DesiredCount")),
            queue=self._queue(service),
            task=self._task(service),
            steps={
                policy.logical_id: StepPolicy.from_template(policy.properties["StepScalingPolicyConfiguration"])
                for policy in steps
            },
            alarms=alarms,
            tracking=[self._tracking(policy, planned=planner is not None) for policy in tracking],
            scheduled=scheduled_actions(target.get("ScheduledActions") or [], where=name),
            planner=planner,
        )

    def _service(self) -> Resource:
        found = [item for item in self._references(self._target.properties["ResourceId"]) if item.type == SERVICE]
        if not found:
            raise SimulationError(f"{self._target.logical_id} scales a service that the template does not hold.")
        return found[0]

    def _belongs(self, policy: Resource) -> bool:
        """By the target's id, or by the resource id that both carry."""
        if "ScalingTargetId" in policy.properties:
            reference = self._assembly.resolve(policy.properties["ScalingTargetId"], stack=policy.stack)
            return isinstance(reference, Reference) and reference.resource == self._target
        resolved = [
            self._assembly.resolve(item.properties.get("ResourceId"), stack=item.stack)
            for item in (policy, self._target)
        ]
        return resolved[0] == resolved[1]

    def _planner(self, policies: Sequence[Resource]) -> PlannerUse | None:
        for policy in policies:
            use = policy.definition.get("Metadata", {}).get("fargate-workers", {}).get("planner")
            if use is not None:
                return PlannerUse(
                    worker=use["worker"], policy=use["policy"], code=find_code(self._path, self._assembly)
                )
        return None

    def _alarms(self, steps: set[tuple[str, str]], *, planned: bool) -> list[Alarm]:
        alarms: list[Alarm] = []
        for alarm in self._assembly.resources(type="AWS::CloudWatch::Alarm"):
            actions = self._assembly.resolve(alarm.properties.get("AlarmActions") or [], stack=alarm.stack)
            triggered = [
                action.resource.logical_id
                for action in actions
                if isinstance(action, Reference) and (action.resource.stack, action.resource.logical_id) in steps
            ]
            if triggered and str(alarm.properties.get("ActionsEnabled", True)).lower() != "false":
                alarms.append(self._alarm(alarm, triggered, planned=planned))
        return alarms

    def _alarm(self, alarm: Resource, policies: list[str], *, planned: bool) -> Alarm:
        properties = alarm.properties
        try:
            comparison_named(properties["ComparisonOperator"])
        except ValueError as error:
            raise SimulationError(f"{alarm.logical_id}: {error}") from None
        periods = self._number(properties["EvaluationPeriods"], "EvaluationPeriods")
        return Alarm(
            name=alarm.logical_id,
            query=self._query(properties, where=alarm.logical_id, planned=planned),
            comparison=properties["ComparisonOperator"],
            threshold=float(properties["Threshold"]),
            evaluation_periods=periods,
            datapoints_to_alarm=self._number(properties.get("DatapointsToAlarm", periods), "DatapointsToAlarm"),
            missing_data=properties.get("TreatMissingData", "missing"),
            policies=policies,
        )

    def _tracking(self, policy: Resource, *, planned: bool) -> Tracking:
        configuration = policy.properties["TargetTrackingScalingPolicyConfiguration"]
        where = policy.logical_id
        if "CustomizedMetricSpecification" in configuration:
            query = self._query(configuration["CustomizedMetricSpecification"], where=where, planned=planned)
        else:
            name = configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]
            if name != "ECSServiceAverageCPUUtilization":
                raise SimulationError(f"{where} tracks {name}, which a load of messages does not tell.")
            query = Query(metrics={"cpu": Metric(source="cpu", combination="mean")})
        return Tracking(name=where, policy=TrackingPolicy.from_template(configuration), query=query)

    def _query(self, properties: Mapping[str, Any], *, where: str, planned: bool) -> Query:
        """An alarm's metric, or a tracking policy's: both spell a single metric in place and several as a list."""
        entries: list[Mapping[str, Any]] = properties.get("Metrics") or [
            {"Id": "metric", "MetricStat": {"Metric": properties, "Stat": properties.get("Statistic", "Average")}}
        ]
        default_period = properties.get("Period", 60)
        metrics: dict[str, Metric] = {}
        for entry in entries:
            if "MetricStat" in entry:
                stat, metric = entry["MetricStat"], entry["MetricStat"]["Metric"]
                metrics[entry["Id"]] = metric_of(
                    namespace=metric["Namespace"],
                    name=metric["MetricName"],
                    statistic=stat["Stat"],
                    period=float(stat.get("Period", default_period)),
                    dimensions=names_of(metric.get("Dimensions")),
                    planned=planned,
                    where=where,
                )
        returned = [entry["Id"] for entry in entries if str(entry.get("ReturnData", True)).lower() != "false"]
        expressions = {entry["Id"]: entry["Expression"] for entry in entries if "Expression" in entry}
        return query_of(metrics, expressions, returned=returned[-1], where=where)

    def _queue(self, service: Resource) -> Queue:
        """The queue that the policies watch; else the one, dead-letter queues aside, that the container is told of."""
        queues = self._queues(service)
        if len(queues) > 1:
            names = ", ".join(queue.path or queue.logical_id for queue in queues)
            raise SimulationError(f"{service.logical_id} follows several queues ({names}); only one can be simulated.")
        if not queues:
            raise SimulationError(f"{service.logical_id} follows no queue of the template.")
        properties = queues[0].properties
        policy: Any = properties.get("RedrivePolicy")
        redrive: Mapping[str, Any] = json.loads(policy) if isinstance(policy, str) else policy or {}
        return Queue(
            visibility_timeout=float(properties.get("VisibilityTimeout", Queue.visibility_timeout)),
            max_receive_count=int(redrive["maxReceiveCount"]) if "maxReceiveCount" in redrive else None,
            retention=float(properties.get("MessageRetentionPeriod", Queue.retention)),
            fifo=str(properties.get("FifoQueue", False)).lower() == "true",
        )

    def _queues(self, service: Resource) -> list[Resource]:
        watched: list[Any] = []
        for resource in self._assembly.resources():
            if (resource.type == POLICY and self._belongs(resource)) or resource.type == "AWS::CloudWatch::Alarm":
                actions = list(self._references(resource.properties.get("AlarmActions"), stack=resource.stack))
                if resource.type == POLICY or any(self._belongs(action) for action in actions if action.type == POLICY):
                    watched += self._references(resource.properties, stack=resource.stack)
        told = list(self._references(self._container(service).get("Environment"), stack=service.stack))
        dead = {
            dead.logical_id
            for queue in self._assembly.resources(type="AWS::SQS::Queue")
            for dead in self._references(queue.properties.get("RedrivePolicy"), stack=queue.stack)
        }
        for candidates in (watched, told):
            queues = [item for item in candidates if item.type == "AWS::SQS::Queue" and item.logical_id not in dead]
            unique = {(queue.stack, queue.logical_id): queue for queue in queues}
            if unique:
                return list(unique.values())
        return []

    def _definition(self, service: Resource) -> Resource:
        for item in self._references(service.properties.get("TaskDefinition"), stack=service.stack):
            if item.type == "AWS::ECS::TaskDefinition":
                return item
        raise SimulationError(f"{service.logical_id} runs a task definition that the template does not hold.")

    def _container(self, service: Resource) -> Mapping[str, Any]:
        containers: list[Mapping[str, Any]] = self._definition(service).properties["ContainerDefinitions"]
        return next((item for item in containers if str(item.get("Essential", True)).lower() != "false"), containers[0])

    def _task(self, service: Resource) -> Task:
        definition, container = self._definition(service).properties, self._container(service)
        told: list[Mapping[str, Any]] = container.get("Environment") or []
        environment = {str(item["Name"]): item["Value"] for item in told}
        # The variables by which this project's constructs talk to its runtime.
        ours = "CONCURRENCY" in environment and "WORKER_NAME" in environment
        limit = environment.get("RATE_LIMIT_PER_SECOND")
        return Task(
            vcpus=_vcpus(definition.get("Cpu", 256)),
            gibibytes=_gibibytes(definition.get("Memory", 512)),
            concurrency=int(environment["CONCURRENCY"]) if ours else 1,
            prefetches=ours,
            protected=ours,
            stop_timeout=float(container.get("StopTimeout", Task.stop_timeout)),
            rate_limit=float(limit) if ours and limit else None,
            spot_from=_spot_from(service.properties.get("CapacityProviderStrategy") or []),
        )

    def _number(self, value: object, what: str) -> int:
        """A whole number, also as the default of a parameter."""
        if isinstance(value, dict):
            name = cast("dict[str, Any]", value).get("Ref")
            stack = next(stack for stack in self._assembly.stacks if stack.name == self._target.stack)
            value = stack.template.get("Parameters", {}).get(name, {}).get("Default", value)
        try:
            return int(cast("Any", value))
        except (TypeError, ValueError):
            raise SimulationError(f"{what} of {self._target.logical_id} is known only when deployed.") from None

    def _references(self, value: object, *, stack: str | None = None) -> Iterator[Resource]:
        """Every resource that a value names, however deep, those inside Fn::Sub too."""
        yield from _resources_in(self._assembly.resolve(value, stack=stack or self._target.stack), self._assembly)
        text = json.dumps(value, default=str)
        known = next(item for item in self._assembly.stacks if item.name == (stack or self._target.stack)).resources
        for name in re.findall(r"\$\{(\w+)[.}]", text):
            if name in known:
                yield known[name]


def _resources_in(value: object, assembly: Assembly) -> Iterator[Resource]:
    match value:
        case Reference(resource=resource):
            yield resource
        case dict():
            for item in cast("dict[str, object]", value).values():
                yield from _resources_in(item, assembly)
        case list():
            for item in cast("list[object]", value):
                yield from _resources_in(item, assembly)
        case _:
            return


def _spot_from(strategy: Sequence[Mapping[str, Any]]) -> int | None:
    """How many tasks come before those on Spot, where all that follow are; None where none or only some are."""
    weights = {str(item["CapacityProvider"]): int(item.get("Weight", 0)) for item in strategy}
    if not weights.get("FARGATE_SPOT") or weights.get("FARGATE"):
        return None
    return sum(int(item.get("Base", 0)) for item in strategy if item["CapacityProvider"] == "FARGATE")


def _vcpus(value: object) -> float:
    text = str(value).lower()
    return float(text.removesuffix("vcpu").strip()) if "vcpu" in text else float(text) / 1024


def _gibibytes(value: object) -> float:
    text = str(value).lower()
    return float(text.removesuffix("gb").strip()) if "gb" in text else float(text) / 1024
