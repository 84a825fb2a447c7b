"""Application Auto Scaling at work: how step scaling and target tracking policies act on their alarms."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fargate_workers_toolkit.aws_behaviour import (
    Bounds,
    Cooldowns,
    Outcome,
    Reading,
    StepPolicy,
    Tracked,
    TrackingPolicy,
    scale_by_steps,
    track,
)
from fargate_workers_toolkit.local.emulator.autoscaling.api import IN, OUT, Properties, ScalingRegistry, target_id
from fargate_workers_toolkit.local.emulator.clock import Clock
from fargate_workers_toolkit.local.emulator.ministack_parts import ecs, responses

Service = Mapping[str, Any]

logger = logging.getLogger("local.autoscaling")


class Trigger(NamedTuple):
    """One evaluation of an alarm that a policy follows.

    Args:
        policy: The ARN of the policy.
        alarm: The name of the alarm.
        in_alarm: Whether it is in ALARM.
        evaluated: The datapoints that were evaluated, oldest first.
        threshold: The alarm's threshold.
    """

    policy: str
    alarm: str
    in_alarm: bool
    evaluated: Sequence[float]
    threshold: float

    @property
    def metric(self) -> float | None:
        """The newest datapoint; None where there is none."""
        return self.evaluated[-1] if self.evaluated else None


class AutoScaling:
    """Scales services through `UpdateService`. Cooldowns are in minutes of the clock.

    Args:
        clock: The clock of the embedded AWS.
        registry: Knows targets and policies.
    """

    def __init__(self, clock: Clock, registry: ScalingRegistry) -> None:
        self._clock = clock
        self._registry = registry
        self._cooldowns: defaultdict[str, Cooldowns] = defaultdict(Cooldowns)

    def follows(self, action: str) -> bool:
        """Return whether the action of an alarm is a scaling policy."""
        return action in self._registry.policies

    def act(self, triggers: Sequence[Trigger]) -> None:
        """Let all policies act on one evaluation: those with steps, then those that track a target.

        Args:
            triggers: The evaluated alarms.
        """
        for trigger in triggers:
            policy = self._registry.policies[trigger.policy]
            if policy["PolicyType"] == "StepScaling" and trigger.in_alarm and trigger.evaluated:
                self._step(policy, trigger)
        by_alarm = {trigger.alarm: trigger for trigger in triggers}
        for target in list(self._registry.targets):
            self._track(target, by_alarm)

    def keep_within_bounds(self, target: str, *, cause: str) -> None:
        """Scale a service whose capacity is outside the bounds of its target.

        Args:
            target: The target's id.
            cause: Why the bounds have changed, in the words of AWS.
        """
        service = self._service(target)
        if service is None:
            return
        desired = self._bounds(target).clamp(service["desiredCount"])
        if desired != service["desiredCount"]:
            self._registry.record(self._registry.targets[target], cause=cause, desired=desired)
            _update(service, desired)

    def _step(self, policy: Properties, trigger: Trigger) -> None:
        target = target_id(policy)
        service, cooldowns = self._service(target), self._cooldowns[target]
        if service is None:
            return
        steps = StepPolicy.from_template(policy["StepScalingPolicyConfiguration"])
        outcome = scale_by_steps(
            steps,
            difference=steps.metric_of(trigger.evaluated) - trigger.threshold,
            current=service["desiredCount"],
            bounds=self._bounds(target),
            moment=self._moment,
            start=_running(service),
            last=cooldowns.last(policy["PolicyName"]),
            others_grew=cooldowns.growing(self._moment),
        )
        self._settle(outcome, policy, service, trigger)

    def _track(self, target: str, triggers: Mapping[str, Trigger]) -> None:
        service = self._service(target)
        if service is None:
            return
        tracking = {
            policy["PolicyName"]: (policy, triggers.get(alarms.high), triggers.get(alarms.low) if alarms.low else None)
            for policy, alarms in self._registry.tracking(target)
        }
        decided = track(
            [
                Tracked(name, _tracking(policy), _reading(high), _reading(low))
                for name, (policy, high, low) in tracking.items()
            ],
            cooldowns=self._cooldowns[target],
            current=service["desiredCount"],
            bounds=self._bounds(target),
            moment=self._moment,
            start=_running(service),
        )
        if decided is not None:
            name, outcome = decided
            policy, high, low = tracking[name]
            trigger = high if outcome.activity is not None and outcome.activity.grew else low
            if trigger is not None:
                self._settle(outcome, policy, service, trigger)

    def _service(self, target: str) -> Service | None:
        _, cluster, name = self._registry.targets[target]["ResourceId"].split("/")
        found = (service for key, service in ecs._services.all_items() if key[2] == f"{cluster}/{name}")
        return next(found, None)

    @property
    def _moment(self) -> float:
        return 60.0 * (self._clock.minute + 1)

    def _bounds(self, target: str) -> Bounds:
        registered = self._registry.targets[target]
        return Bounds(registered["MinCapacity"], registered["MaxCapacity"])

    def _settle(self, outcome: Outcome, policy: Properties, service: Service, trigger: Trigger) -> None:
        """Sets the capacity. As in ECS, nothing scales in while a deployment runs."""
        before, wanted = service["desiredCount"], outcome.capacity
        deploying = any(item.get("rolloutState") == "IN_PROGRESS" for item in service["deployments"])
        if outcome.activity is None or (wanted < before and deploying):
            return
        # https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-suspend-resume-scaling.html
        if self._registry.suspended(target_id(policy), OUT if wanted > before else IN):
            return
        self._cooldowns[target_id(policy)].begin(policy["PolicyName"], outcome.activity)
        cause = f"monitor alarm {trigger.alarm} in state ALARM triggered policy {policy['PolicyName']}"
        self._registry.record(policy, cause=cause, desired=wanted)
        logger.warning("%s: %s -> %s (%s is %s)", service["serviceName"], before, wanted, trigger.alarm, trigger.metric)
        _update(service, wanted)


def _update(service: Service, desired: int) -> None:
    cluster = service["clusterArn"].rsplit("/", 1)[-1]
    _, _, _, region, account, *_ = service["serviceArn"].split(":")
    with responses.request_scope(account, region):
        ecs._update_service({"cluster": cluster, "service": service["serviceName"], "desiredCount": desired})


def _running(service: Service) -> int:
    """What Auto Scaling starts from: the tasks that run, whichever version they are of.

    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
    """
    return service.get("runningCount", service["desiredCount"])


def _tracking(policy: Properties) -> TrackingPolicy:
    return TrackingPolicy.from_template(policy["TargetTrackingScalingPolicyConfiguration"])


def _reading(trigger: Trigger | None) -> Reading:
    return Reading(False, None) if trigger is None else Reading(trigger.in_alarm, trigger.metric)
