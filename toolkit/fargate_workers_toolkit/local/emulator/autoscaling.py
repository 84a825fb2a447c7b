"""Application Auto Scaling at work: what step scaling and target tracking policies make of their alarms."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fargate_workers_toolkit.local.clock import Clock
from fargate_workers_toolkit.local.emulator.ministack_parts import ecs, responses
from fargate_workers_toolkit.local.emulator.scaling_registry import Properties, ScalingRegistry, target_id
from fargate_workers_toolkit.semantics import target_tracking
from fargate_workers_toolkit.semantics.cooldown import Bounds, Cooldowns, Outcome
from fargate_workers_toolkit.semantics.step_scaling import StepPolicy, scale_by_steps
from fargate_workers_toolkit.semantics.target_tracking import TrackingPolicy

Service = Mapping[str, Any]

logger = logging.getLogger("local.autoscaling")


class Trigger(NamedTuple):
    """One evaluation of an alarm that a policy follows. `evaluated`: the datapoints it looked at, oldest first."""

    policy: str
    alarm: str
    in_alarm: bool
    evaluated: Sequence[float]
    threshold: float

    @property
    def metric(self) -> float | None:
        """The newest of them."""
        return self.evaluated[-1] if self.evaluated else None


class AutoScaling:
    """Scales services through `UpdateService`. Cooldowns are in minutes of the clock."""

    def __init__(self, clock: Clock, registry: ScalingRegistry) -> None:
        self._clock = clock
        self._registry = registry
        self._cooldowns: defaultdict[str, Cooldowns] = defaultdict(Cooldowns)

    def follows(self, action: str) -> bool:
        """Whether an alarm's action is a scaling policy."""
        return action in self._registry.policies

    def act(self, triggers: Sequence[Trigger]) -> None:
        """Lets all policies act on one evaluation: those with steps, then those that track a target."""
        for trigger in triggers:
            policy = self._registry.policies[trigger.policy]
            if policy["PolicyType"] == "StepScaling" and trigger.in_alarm and trigger.evaluated:
                self._step(policy, trigger)
        by_alarm = {trigger.alarm: trigger for trigger in triggers}
        for target in list(self._registry.targets):
            self._track(target, by_alarm)

    def _step(self, policy: Properties, trigger: Trigger) -> None:
        service = self._service(target_id(policy))
        if service is not None:
            steps = StepPolicy.from_template(policy["StepScalingPolicyConfiguration"])
            difference = steps.metric_of(trigger.evaluated) - trigger.threshold
            others_grew = self._cooldowns[target_id(policy)].growing(self._moment)
            situation = self._situation(policy, service)
            outcome = scale_by_steps(steps, difference=difference, others_grew=others_grew, **situation)
            self._settle(outcome, policy, service, trigger)

    def _track(self, target: str, triggers: Mapping[str, Trigger]) -> None:
        """Any policy may scale out, the largest capacity wins; all that scale in must agree to it."""
        service = self._service(target)
        tracking = [
            (self._registry.policies[arn], alarms)
            for arn, alarms in list(self._registry.tracking_alarms.items())
            if target_id(self._registry.policies[arn]) == target
        ]
        if service is None:
            return
        wishes: list[tuple[Outcome, Properties, Trigger]] = []
        for policy, alarms in tracking:
            high = triggers.get(alarms.high)
            # Without tasks one datapoint is enough.
            # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-auto-scaling.html
            if high and high.metric is not None and (high.in_alarm or service["desiredCount"] == 0):
                situation = self._situation(policy, service)
                outcome = target_tracking.scale_out(_tracking(policy), metric=high.metric, **situation)
                wishes.append((outcome, policy, high))
        if wishes:
            outcome, policy, high = max(wishes, key=lambda wish: wish[0].capacity)
            self._settle(outcome, policy, service, high)
        willing = [(policy, triggers.get(alarms.low)) for policy, alarms in tracking if alarms.low is not None]
        agreed = [(policy, low) for policy, low in willing if low and low.in_alarm and low.metric is not None]
        if agreed and len(agreed) == len(willing):
            current = service["desiredCount"]
            policy, low = max(agreed, key=lambda agreed: _capacity_after(*agreed, current=current))
            outcome = target_tracking.scale_in(
                [(_tracking(policy), low.metric or 0.0)],
                others_grew=self._cooldowns[target].growing(self._moment),
                **self._situation(policy, service),
            )
            self._settle(outcome, policy, service, low)

    def _service(self, target: str) -> Service | None:
        _, cluster, name = self._registry.targets[target]["ResourceId"].split("/")
        found = (service for key, service in ecs._services.all_items() if key[2] == f"{cluster}/{name}")
        return next(found, None)

    @property
    def _moment(self) -> float:
        return 60.0 * (self._clock.minute + 1)

    def _situation(self, policy: Properties, service: Service) -> dict[str, Any]:
        """What every policy has to know."""
        registered = self._registry.targets[target_id(policy)]
        return {
            "current": service["desiredCount"],
            "bounds": Bounds(registered["MinCapacity"], registered["MaxCapacity"]),
            "moment": self._moment,
            "last": self._cooldowns[target_id(policy)].last(policy["PolicyName"]),
        }

    def _settle(self, outcome: Outcome, policy: Properties, service: Service, trigger: Trigger) -> None:
        """Sets the capacity. As in ECS, nothing scales in while a deployment runs."""
        before, wanted = service["desiredCount"], outcome.capacity
        deploying = any(item.get("rolloutState") == "IN_PROGRESS" for item in service["deployments"])
        if outcome.activity is None or (wanted < before and deploying):
            return
        self._cooldowns[target_id(policy)].begin(policy["PolicyName"], outcome.activity)
        self._registry.record(policy, alarm=trigger.alarm, wanted=wanted)
        name, cluster = service["serviceName"], service["clusterArn"].rsplit("/", 1)[-1]
        logger.warning("%s: %s -> %s (%s is %s)", name, before, wanted, trigger.alarm, trigger.metric)
        _, _, _, region, account, *_ = service["serviceArn"].split(":")
        with responses.request_scope(account, region):
            ecs._update_service({"cluster": cluster, "service": name, "desiredCount": wanted})


def _tracking(policy: Properties) -> TrackingPolicy:
    return TrackingPolicy.from_template(policy["TargetTrackingScalingPolicyConfiguration"])


def _capacity_after(policy: Properties, low: Trigger, *, current: int) -> int:
    return _tracking(policy).capacity_after(current, low.metric or 0.0)
