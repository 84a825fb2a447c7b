"""The API of Application Auto Scaling for ECS services: scalable targets, policies, and what they did."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from fargate_workers_toolkit.aws_behaviour import Schedule
from fargate_workers_toolkit.local.emulator.autoscaling.tracking_alarms import TrackingAlarms
from fargate_workers_toolkit.local.emulator.ministack_parts import (
    app,
    cloudwatch,
    provisioners,
    responses,
    router,
    tagging,
)

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, str]]

SERVICE = "application-autoscaling"
TARGET_KEYS = ("ServiceNamespace", "ResourceId", "ScalableDimension")
ACTION_KEYS = ("ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")
BOUNDS = ("MinCapacity", "MaxCapacity")
IN, OUT, SCHEDULED = "DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"


class ScalingRegistry:
    """Holds what was registered, by CloudFormation or through the API.

    Attributes:
        targets: The scalable targets, by their id.
        policies: By their ARN.
        tracking_alarms: By the policy's ARN.
        scheduled: The scheduled actions by name, by their target's id.
        activities: What changed a capacity, newest first.
        tags: The tags of each target, by its ARN.
    """

    def __init__(self) -> None:
        self.targets: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.tracking_alarms: dict[str, TrackingAlarms] = {}
        self.scheduled: dict[str, dict[str, dict[str, Any]]] = {}
        self.activities: list[dict[str, Any]] = []
        self.tags: dict[str, dict[str, str]] = {}

    def install(self) -> None:
        """Put it into MiniStack."""
        handlers = provisioners._RESOURCE_HANDLERS
        handlers["AWS::ApplicationAutoScaling::ScalableTarget"] = {
            "create": self._create_target,
            "update": self._update_target,
            "delete": self._delete_target,
        }
        handlers["AWS::ApplicationAutoScaling::ScalingPolicy"] = {
            "create": self._create_policy,
            "update": self._update_policy,
            "delete": self._delete_policy,
        }
        router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": ["AnyScaleFrontendService"]}
        app.SERVICE_HANDLERS[SERVICE] = self.handle
        tagging._COLLECTORS[SERVICE] = self._tagged
        tagging._COLLECTORS["cloudwatch"] = lambda: map(_as_list, cloudwatch._resource_tags.items())

    # What CloudFormation does

    def _create_target(self, _logical_id: str, properties: Properties, _stack: str) -> Created:
        return self._register_with_schedule(properties)

    def _update_target(self, _id: str, _old: Properties, new: Properties, _stack: str) -> Created:
        return self._register_with_schedule(new)

    def _register_with_schedule(self, properties: Properties) -> Created:
        """A template has all scheduled actions of a target; those that it no longer has are gone."""
        created = self.register(properties)
        self.scheduled.pop(created[0], None)
        for action in properties.get("ScheduledActions") or ():
            self.put_scheduled_action({**properties, **action})
        return created

    def _delete_target(self, id: str, _: Properties) -> None:
        self.targets.pop(id, None)
        self.scheduled.pop(id, None)

    def _create_policy(self, _logical_id: str, properties: Properties, _stack: str) -> Created:
        return self.put_policy(properties)

    def _update_policy(self, arn: str, _old: Properties, new: Properties, _stack: str) -> Created:
        return self.put_policy(new, arn=arn)

    def _delete_policy(self, arn: str, _: Properties) -> None:
        self.policies.pop(arn, None)
        self._forget_alarms(arn)

    def _forget_alarms(self, arn: str) -> None:
        alarms = self.tracking_alarms.pop(arn, None)
        if alarms is not None:
            alarms.delete()

    def register(self, properties: Properties) -> Created:
        """Register a scalable target, or change the bounds of a known one; return its id and attributes."""
        name = target_id(properties)
        account, region = responses.get_account_id(), responses.get_region()
        arn = f"arn:aws:application-autoscaling:{region}:{account}:scalable-target/{uuid.uuid4().hex[:24]}"
        known = self.targets.get(name, {"ScalableTargetARN": arn, "CreationTime": time.time()})
        bounds = {name: int(properties[name]) for name in BOUNDS if name in properties}
        # Of the state, too, what is left out stays.
        suspended = {**known.get("SuspendedState", {}), **properties.get("SuspendedState", {})}
        self.targets[name] = {
            **known,
            **{key: properties[key] for key in TARGET_KEYS},
            **bounds,
            "SuspendedState": suspended,
        }
        self._tag(arn=self.targets[name]["ScalableTargetARN"], tags=properties.get("Tags") or {})
        return name, {"Id": name, "ScalableTargetARN": self.targets[name]["ScalableTargetARN"]}

    def suspended(self, target: str, kind: str) -> bool:
        """Return whether a kind of scaling is suspended.

        Args:
            target: The target's id.
            kind: The name of the kind in the target's `SuspendedState`.
        """
        return bool(self.targets[target].get("SuspendedState", {}).get(kind))

    def _tag(self, *, arn: str, tags: Mapping[str, str] | Sequence[Mapping[str, str]]) -> None:
        """Tags come as a list from CloudFormation, and as a mapping through the API."""
        given = tags if isinstance(tags, Mapping) else {tag["Key"]: tag["Value"] for tag in tags}
        self.tags.setdefault(arn, {}).update(given)

    def _tagged(self) -> Any:
        known = {target["ScalableTargetARN"] for target in self.targets.values()}
        return (_as_list(item) for item in list(self.tags.items()) if item[0] in known)

    def put_scheduled_action(self, action: Properties) -> None:
        """Add or replace a scheduled action.

        Args:
            action: Its name, schedule and bounds, with the keys of its target.

        Raises:
            ValueError: AWS refuses its schedule.
        """
        Schedule(expression=action["Schedule"], timezone=action.get("Timezone", "UTC"))
        kept = {key: action[key] for key in (*TARGET_KEYS, *ACTION_KEYS) if key in action}
        actions = self.scheduled.setdefault(target_id(action), {})
        actions[action["ScheduledActionName"]] = {"ScalableTargetAction": {}, **kept, "CreationTime": time.time()}

    def rebound(self, target: str, bounds: Mapping[str, Any]) -> None:
        """Give a target other bounds; what is left out stays."""
        self.targets[target].update({name: int(bounds[name]) for name in BOUNDS if name in bounds})

    def put_policy(self, properties: Properties, *, arn: str = "") -> Created:
        """Add or replace a policy.

        Args:
            properties: The policy, as a template or the API has it.
            arn: Its ARN. Defaults to that of the target's policy of this name, or a new one.

        Raises:
            ValueError: It tracks a metric that nothing measures here.
        """
        policy = dict(properties)
        if policy.get("ScalingTargetId"):
            resource, dimension, namespace = policy.pop("ScalingTargetId").split("|")
            policy.update(ResourceId=resource, ScalableDimension=dimension, ServiceNamespace=namespace)
        account, region = responses.get_account_id(), responses.get_region()
        arn = (
            arn
            or self._known_policy(policy)
            or (
                f"arn:aws:autoscaling:{region}:{account}:scalingPolicy:{uuid.uuid4()}:"
                f"resource/{policy['ServiceNamespace']}/{policy['ResourceId']}:policyName/{policy['PolicyName']}"
            )
        )
        described = {**policy, "PolicyARN": arn, "CreationTime": time.time()}
        alarms = TrackingAlarms.of(policy, arn=arn) if policy["PolicyType"] == "TargetTrackingScaling" else None
        self._forget_alarms(arn)
        if alarms is not None:
            self.tracking_alarms[arn] = alarms
            described["Alarms"] = alarms.described()
        self.policies[arn] = described
        return arn, {"Arn": arn}

    def _known_policy(self, policy: Properties) -> str | None:
        """A name belongs to one policy of a target."""
        wanted = target_id(policy), policy["PolicyName"]
        return next(
            (arn for arn, known in self.policies.items() if (target_id(known), known["PolicyName"]) == wanted), None
        )

    def tracking(self, target: str) -> list[tuple[Properties, TrackingAlarms]]:
        """Return the policies of a target that track a value, with their alarms."""
        policies = [(self.policies[arn], alarms) for arn, alarms in list(self.tracking_alarms.items())]
        return [(policy, alarms) for policy, alarms in policies if target_id(policy) == target]

    def record(self, target: Properties, *, cause: str, desired: int) -> None:
        """Note that a target's capacity was changed.

        Args:
            target: What has the keys of the target.
            cause: Why, in the words of AWS.
            desired: The new capacity.
        """
        now = time.time()
        activity = {
            "ActivityId": str(uuid.uuid4()),
            **{key: target[key] for key in TARGET_KEYS},
            "Description": f"Setting desired count to {desired}.",
            "Cause": cause,
            "StartTime": now,
            "EndTime": now,
            "StatusCode": "Successful",
            "StatusMessage": f"Successfully set desired count to {desired}.",
        }
        self.activities.insert(0, activity)

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: object) -> Any:
        """The API, as far as it is described here."""
        del method, path, query
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        request = json.loads(body or b"{}")
        match action:
            case "DescribeScalableTargets":
                return responses.json_response({"ScalableTargets": _matching(self.targets.values(), request)})
            case "DescribeScalingPolicies":
                return responses.json_response({"ScalingPolicies": _matching(self.policies.values(), request)})
            case "DescribeScalingActivities":
                return responses.json_response({"ScalingActivities": _matching(self.activities, request)})
            case "DescribeScheduledActions":
                actions = [action for each in self.scheduled.values() for action in each.values()]
                return responses.json_response({"ScheduledActions": _matching(actions, request)})
            case "PutScheduledAction":
                try:
                    self.put_scheduled_action(request)
                except ValueError as error:
                    return responses.error_response_json("ValidationException", str(error), 400)
                return responses.json_response({})
            case "DeleteScheduledAction":
                self.scheduled.get(target_id(request), {}).pop(request["ScheduledActionName"], None)
                return responses.json_response({})
            case "RegisterScalableTarget":
                _, attributes = self.register(request)
                return responses.json_response({"ScalableTargetARN": attributes["ScalableTargetARN"]})
            case "PutScalingPolicy":
                try:
                    arn, _ = self.put_policy(request)
                except ValueError as error:
                    return responses.error_response_json("ValidationException", str(error), 400)
                return responses.json_response({"PolicyARN": arn, "Alarms": self.policies[arn].get("Alarms", [])})
            case _:
                return responses.error_response_json("InvalidAction", f"{action} is not available locally.", 400)


def _as_list(item: tuple[str, Mapping[str, str]]) -> tuple[str, list[dict[str, str]]]:
    arn, tags = item
    return arn, [{"Key": key, "Value": value} for key, value in tags.items()]


def target_id(properties: Properties) -> str:
    """Return the id of the target that properties name."""
    return "|".join(properties[key] for key in ("ResourceId", "ScalableDimension", "ServiceNamespace"))


def _matching(items: Any, request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The items a Describe request asks for."""
    wanted = {key: request[key] for key in TARGET_KEYS if key in request}
    ids = request.get("ResourceIds")
    names = request.get("PolicyNames")
    return [
        item
        for item in items
        if all(item[key] == value for key, value in wanted.items())
        and (ids is None or item["ResourceId"] in ids)
        and (names is None or item.get("PolicyName") in names)
    ]
