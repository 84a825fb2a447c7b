"""The API of Application Auto Scaling for ECS services: scalable targets, policies, and what they did."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import app, provisioners, responses, router
from fargate_workers_toolkit.local.emulator.tracking_alarms import TrackingAlarms

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, str]]

SERVICE = "application-autoscaling"
TARGET_KEYS = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class ScalingRegistry:
    """Holds what was registered, by CloudFormation or through the API.

    targets: By id. policies, tracking_alarms: By the policy's ARN. activities: Newest first.
    """

    def __init__(self) -> None:
        self.targets: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.tracking_alarms: dict[str, TrackingAlarms] = {}
        self.activities: list[dict[str, Any]] = []

    def install(self) -> None:
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

    # What CloudFormation does

    def _create_target(self, _logical_id: str, properties: Properties, _stack: str) -> Created:
        return self.register(properties)

    def _update_target(self, _id: str, _old: Properties, new: Properties, _stack: str) -> Created:
        return self.register(new)

    def _delete_target(self, id: str, _: Properties) -> None:
        self.targets.pop(id, None)

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
        name = target_id(properties)
        account, region = responses.get_account_id(), responses.get_region()
        arn = f"arn:aws:application-autoscaling:{region}:{account}:scalable-target/{uuid.uuid4().hex[:24]}"
        known = self.targets.get(name, {"ScalableTargetARN": arn, "CreationTime": time.time()})
        bounds = {name: int(properties[name]) for name in ("MinCapacity", "MaxCapacity") if name in properties}
        self.targets[name] = {**known, **{key: properties[key] for key in TARGET_KEYS}, **bounds}
        return name, {"Id": name, "ScalableTargetARN": self.targets[name]["ScalableTargetARN"]}

    def put_policy(self, properties: Properties, *, arn: str = "") -> Created:
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
        """The policies of a target that track a value, with their alarms."""
        policies = [(self.policies[arn], alarms) for arn, alarms in list(self.tracking_alarms.items())]
        return [(policy, alarms) for policy, alarms in policies if target_id(policy) == target]

    def record(self, policy: Properties, *, alarm: str, wanted: int) -> None:
        """That a policy changed its target's capacity."""
        now = time.time()
        activity = {
            "ActivityId": str(uuid.uuid4()),
            **{key: policy[key] for key in TARGET_KEYS},
            "Description": f"Setting desired count to {wanted}.",
            "Cause": f"monitor alarm {alarm} in state ALARM triggered policy {policy['PolicyName']}",
            "StartTime": now,
            "EndTime": now,
            "StatusCode": "Successful",
            "StatusMessage": f"Successfully set desired count to {wanted}.",
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


def target_id(properties: Properties) -> str:
    """The id of the target that properties name."""
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
