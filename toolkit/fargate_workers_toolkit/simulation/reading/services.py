"""Reads scaled services out of a cloud assembly or a template: whatever follows AWS's resource types, not only ours."""

import math
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from fargate_workers_toolkit.aws_behaviour import (
    COMPARISONS,
    AdjustmentType,
    Aggregation,
    Bounds,
    MissingData,
    StepPolicy,
    TrackingPolicy,
)
from fargate_workers_toolkit.errors import AssemblyError, SimulationError
from fargate_workers_toolkit.simulation.control import find_code
from fargate_workers_toolkit.simulation.model import (
    Alarm,
    Metric,
    PlannerUse,
    Query,
    ScaledService,
    ScheduledAction,
    Tracking,
)
from fargate_workers_toolkit.simulation.reading.functions import FunctionReader, mappings_of_queues
from fargate_workers_toolkit.simulation.reading.metrics import SERVICE, MetricReader
from fargate_workers_toolkit.simulation.reading.scheduled_actions import scheduled_actions
from fargate_workers_toolkit.simulation.reading.step_ranges import refuse_ranges
from fargate_workers_toolkit.simulation.reading.work import MOST_TASKS, WorkReader
from fargate_workers_toolkit.templates import Evaluated, Resource, TemplateLocation, resources_in

POLICY = "AWS::ApplicationAutoScaling::ScalingPolicy"
TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"
ALARM = "AWS::CloudWatch::Alarm"

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
LONGEST_ALARM = 604_800
LONGEST_COOLDOWN = 86_400


def read_services(path: Path) -> list[ScaledService]:
    """Every scaled service at `path`.

    Args:
        path: A cloud assembly, or one template in a JSON file.

    Raises:
        SimulationError: A service cannot be simulated.
    """
    with _one_error():
        return [reader.read() for reader in _readers(path)]


def read_service(path: Path, *, name: str | None = None) -> ScaledService:
    """The scaled service at `path`, or where there are several the named one; a function where there is no service.

    Args:
        path: A cloud assembly, or one template in a JSON file.
        name: The construct path of a service or a function, part of it, or its id. Defaults to None: the only one.

    Raises:
        SimulationError: There is not one such service, or it cannot be simulated.
    """
    with _one_error():
        readers = _readers(path)
        if name is None:
            readers = [reader for reader in readers if isinstance(reader, _Reader)] or readers
        names = ", ".join(reader.name for reader in readers)
        found = [reader for reader in readers if name is None or reader.is_called(name)]
        if not found:
            raise SimulationError(f"{path} has no scaled service {name}; choose one with --service: {names}.")
        if len(found) > 1:
            raise SimulationError(_several(path, name, [reader.name for reader in found]))
        return found[0].read()


def _several(path: Path, name: str | None, found: Sequence[str]) -> str:
    called = "" if name is None else f" called {name}"
    return f"{path} has {len(found)} scaled services{called}; choose one with --service: {', '.join(found)}."


@contextmanager
def _one_error() -> Generator[None]:
    try:
        yield
    except AssemblyError as error:
        raise SimulationError(str(error)) from None
    except RecursionError:
        raise SimulationError("The template refers to itself in a circle; mend its conditions and exports.") from None


def _readers(path: Path) -> "list[_Reader | FunctionReader]":
    evaluated = Evaluated(path)
    functions = [FunctionReader(evaluated, mapping) for mapping in mappings_of_queues(evaluated)]
    targets = [
        target
        for target in evaluated.resources(TARGET)
        if evaluated.of(target, target.properties.get("ScalableDimension")) == "ecs:service:DesiredCount"
    ]
    if not targets and not functions:
        raise SimulationError(
            f"{path} has no scaled ECS service: no ScalableTarget of ecs:service:DesiredCount; add one, or name "
            "another template."
        )
    return [*(_Reader(evaluated, target) for target in targets), *functions]


class _Reader:
    """Reads what belongs to one scalable target."""

    def __init__(self, evaluated: Evaluated, target: Resource) -> None:
        self._evaluated = evaluated
        self._target = target
        self._resource_id: Any = evaluated.of(target, target.properties.get("ResourceId"))
        self._service = self._scaled_service()
        path = "" if self._service is None else self._service.path or self._service.logical_id
        self.name = re.sub(r"(?<=.)(/Service)+$", "", path) or target.path or target.logical_id

    def is_called(self, name: str) -> bool:
        known = () if self._service is None else (self._service.logical_id, self._service.path)
        return name in known or f"/{name}/" in f"/{self.name}/"

    def read(self) -> ScaledService:
        target = self._evaluated.properties(self._target)
        if self._service is None:
            raise SimulationError(f"{target.where} scales a service that the template does not hold; put it there.")
        service = self._evaluated.properties(self._service)
        policies = [policy for policy in self._evaluated.resources(POLICY) if self._belongs(policy)]
        places = {policy.logical_id: self._evaluated.properties(policy) for policy in policies}
        planner = self._planner(policies)
        metrics = MetricReader(self._evaluated, self._service, planner)
        steps = {
            name: _step_policy(place["StepScalingPolicyConfiguration"])
            for name, place in places.items()
            if _kind(place) == "StepScaling"
        }
        if not policies:
            raise SimulationError(f"{target.where} has no scaling policy; add one, there is nothing to simulate.")
        alarms = self._alarms([policy for policy in policies if policy.logical_id in steps], metrics)
        tracking = [
            _tracking(name, place["TargetTrackingScalingPolicyConfiguration"], metrics)
            for name, place in places.items()
            if _kind(place) == "TargetTrackingScaling"
        ]
        self._refuse_untriggered([policy for policy in policies if policy.logical_id in steps], alarms)
        bounds = _bounds(target)
        count = service.get("DesiredCount")
        work = WorkReader(self._evaluated, self._service)
        if planner is not None and work.is_observed:
            planner = replace(planner, late=True)
        return ScaledService(
            name=self.name,
            bounds=bounds,
            initial_tasks=bounds.clamp(1 if count is None else count.whole(least=0, most=MOST_TASKS)),
            queue=work.queue(metrics.queues),
            partitions=None if planner is None else planner.partitions,
            task=work.task(),
            steps=steps,
            alarms=alarms,
            tracking=tracking,
            scheduled=_scheduled(target),
            planner=planner,
        )

    def _scaled_service(self) -> Resource | None:
        referred = self._evaluated.referred(self._resource_id, type=SERVICE, name="ServiceName")
        if referred is not None or not isinstance(self._resource_id, str):
            return referred
        # service/cluster/name, all of it written out
        return self._evaluated.referred(self._resource_id.split("/")[-1], type=SERVICE, name="ServiceName")

    def _belongs(self, policy: Resource) -> bool:
        """Whether a policy belongs to the target: by the target's id, or by the resource id that both carry."""
        wanted = self._evaluated.of(policy, policy.properties.get("ScalingTargetId"))
        if wanted is not None:
            return any(resource is self._target for resource in resources_in(wanted))
        return self._evaluated.of(policy, policy.properties.get("ResourceId")) == self._resource_id

    def _planner(self, policies: Sequence[Resource]) -> PlannerUse | None:
        for policy in policies:
            metadata = self._evaluated.of(policy, policy.metadata.get("fargate-workers"))
            if metadata is not None:
                place = TemplateLocation(metadata, f"{self._evaluated.where(policy)}.Metadata.fargate-workers").get(
                    "planner"
                )
                if place is not None:
                    return _planner_use(place, self._evaluated)
        return None

    def _refuse_untriggered(self, steps: Sequence[Resource], alarms: Sequence[Alarm]) -> None:
        """A check that an alarm triggers the step policies; of alarms elsewhere nothing is known."""
        triggered = {name for alarm in alarms for name in alarm.policies}
        for policy in steps:
            if policy.logical_id not in triggered:
                raise SimulationError(
                    f"{self._evaluated.where(policy)} is triggered by no alarm of the template whose actions are "
                    "enabled; name it in AlarmActions of an alarm beside it, or remove it."
                )

    def _alarms(self, steps: Sequence[Resource], metrics: MetricReader) -> list[Alarm]:
        alarms: list[Alarm] = []
        for alarm in self._evaluated.resources(ALARM):

            def triggered(actions: str, alarm: Resource = alarm) -> list[str]:
                found = list(resources_in(self._evaluated.of(alarm, alarm.properties.get(actions))))
                return [policy.logical_id for policy in steps if any(policy is resource for resource in found)]

            for unusual in ("OKActions", "InsufficientDataActions"):
                if triggered(unusual):
                    raise SimulationError(
                        f"{self._evaluated.where(alarm)}.{unusual} scales; only AlarmActions can be simulated."
                    )
            policies = triggered("AlarmActions")
            if policies:
                place = self._evaluated.properties(alarm)
                enabled = place.get("ActionsEnabled")
                if enabled is None or enabled.flag():
                    alarms.append(_alarm(alarm.logical_id, place, policies, metrics))
        return alarms


def _kind(policy: TemplateLocation) -> str:
    return policy["PolicyType"].one_of(("StepScaling", "TargetTrackingScaling"))


def _bounds(target: TemplateLocation) -> Bounds:
    least = target["MinCapacity"].whole(least=0, most=MOST_TASKS)
    return Bounds(least, target["MaxCapacity"].whole(least=least, most=MOST_TASKS))


def _planner_use(place: TemplateLocation, evaluated: Evaluated) -> PlannerUse:
    options = place["policy"].mapping()
    policy = {
        name: _policy_option(name, TemplateLocation(value, f"{place.where}.policy.{name}"))
        for name, value in options.items()
    }
    partitions = place.get("partitions")
    return PlannerUse(
        worker=str(place["worker"].value),
        policy=policy,
        code=find_code(evaluated.path, evaluated.assembly),
        partitions=None if partitions is None else partitions.whole(least=1, most=MOST_TASKS),
    )


def _policy_option(name: str, place: TemplateLocation) -> float | str:
    match name:
        case "mode":
            return place.one_of(("balanced", "cost"))
        case "min_tasks":
            return place.whole(least=0, most=MOST_TASKS)
        case "max_tasks" | "concurrency":
            return place.whole(least=1, most=MOST_TASKS)
        case _:
            return place.number(least=0.001)


def _alarm(name: str, place: TemplateLocation, policies: list[str], metrics: MetricReader) -> Alarm:
    query = metrics.query(place)
    minutes = max(metric.minutes for metric in query.metrics.values())
    periods = place["EvaluationPeriods"].whole(least=1, most=LONGEST_ALARM // 60 // minutes)
    datapoints, missing = place.get("DatapointsToAlarm"), place.get("TreatMissingData")
    return Alarm(
        name=name,
        query=query,
        comparison=place["ComparisonOperator"].one_of(COMPARISONS),
        threshold=place["Threshold"].number(),
        evaluation_periods=periods,
        datapoints_to_alarm=periods if datapoints is None else datapoints.whole(least=1, most=periods),
        missing_data="missing" if missing is None else cast("MissingData", missing.one_of(get_args(MissingData))),
        policies=policies,
    )


def _step_policy(place: TemplateLocation) -> StepPolicy:
    aggregation = place.get("MetricAggregationType")
    policy = StepPolicy.from_template(
        {
            "AdjustmentType": place["AdjustmentType"].one_of(get_args(AdjustmentType)),
            "StepAdjustments": [
                {
                    "ScalingAdjustment": step["ScalingAdjustment"].whole(least=-MOST_TASKS, most=MOST_TASKS),
                    **_given(step, "MetricIntervalLowerBound", "MetricIntervalUpperBound"),
                }
                for step in place["StepAdjustments"]
            ],
            **_given(place, "Cooldown", least=0, most=LONGEST_COOLDOWN),
            **_given(place, "MinAdjustmentMagnitude", least=1, most=MOST_TASKS),
            **({} if aggregation is None else {"MetricAggregationType": aggregation.one_of(get_args(Aggregation))}),
        }
    )
    refuse_ranges(policy.steps, where=place.where)
    return policy


def _tracking(name: str, place: TemplateLocation, metrics: MetricReader) -> Tracking:
    disabled, customized = place.get("DisableScaleIn"), place.get("CustomizedMetricSpecification")
    policy = TrackingPolicy.from_template(
        {
            "TargetValue": place["TargetValue"].number(least=1e-9),
            "DisableScaleIn": disabled is not None and disabled.flag(),
            **_given(place, "ScaleOutCooldown", "ScaleInCooldown", least=0, most=LONGEST_COOLDOWN),
        }
    )
    query = _predefined(place) if customized is None else metrics.query(customized)
    return Tracking(name=name, policy=policy, query=query)


def _given(place: TemplateLocation, *names: str, least: float = -math.inf, most: float = math.inf) -> dict[str, float]:
    """Numbers that may be there."""
    found = {name: place.get(name) for name in names}
    return {name: item.number(least=least, most=most) for name, item in found.items() if item is not None}


def _predefined(place: TemplateLocation) -> Query:
    kind = place["PredefinedMetricSpecification"]["PredefinedMetricType"]
    if kind.value != "ECSServiceAverageCPUUtilization":
        # Such as ECSServiceAverageCPUUtilizationHighResolution: every 20 seconds.
        known = str(kind.value).startswith("ECSServiceAverageCPU")
        why = "is seen more than once a minute" if known else "a load of messages does not tell"
        raise SimulationError(
            f"{kind.where} is {kind.value}, which {why}; track ECSServiceAverageCPUUtilization or a metric of the "
            "queue."
        )
    return Query(metrics={"cpu": Metric(source="cpu", combination="mean")})


def _scheduled(target: TemplateLocation) -> list[ScheduledAction]:
    definitions: list[dict[str, Any]] = []
    for place in target.parts("ScheduledActions"):
        definition = {**place.mapping(), "Schedule": place["Schedule"].text()}
        bounds = place.get("ScalableTargetAction")
        if bounds is not None:
            definition["ScalableTargetAction"] = {
                name: bounds[name].whole(least=0, most=MOST_TASKS) for name in bounds.mapping()
            }
        definitions.append(definition)
    return scheduled_actions(definitions, where=target.where)
