"""Application Auto Scaling for ECS services: targets, step policies, activities. Target tracking is only described."""

import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from fargate_workers_toolkit.local.clock import Clock
from fargate_workers_toolkit.local.emulator.ministack_parts import app, ecs, provisioners, responses, router
from fargate_workers_toolkit.semantics.cooldown import Activity, Bounds
from fargate_workers_toolkit.semantics.step_scaling import StepPolicy, scale_by_steps

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, str]]

logger = logging.getLogger("local.autoscaling")

SERVICE = "application-autoscaling"
TARGET_KEYS = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class AutoScaling:
    """Holds what was registered and scales services through `UpdateService`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._targets: dict[str, dict[str, Any]] = {}
        self._policies: dict[str, dict[str, Any]] = {}
        self._activities: list[dict[str, Any]] = []
        self._last: dict[str, Activity] = {}
        self._lock = threading.Lock()

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
        self._targets.pop(id, None)

    def _create_policy(self, _logical_id: str, properties: Properties, _stack: str) -> Created:
        return self.put_policy(properties)

    def _update_policy(self, arn: str, _old: Properties, new: Properties, _stack: str) -> Created:
        return self.put_policy(new, arn=arn)

    def _delete_policy(self, arn: str, _: Properties) -> None:
        self._policies.pop(arn, None)

    def register(self, properties: Properties) -> Created:
        name = _target_id(properties)
        account, region = responses.get_account_id(), responses.get_region()
        arn = f"arn:aws:application-autoscaling:{region}:{account}:scalable-target/{uuid.uuid4().hex[:24]}"
        known = self._targets.get(name, {"ScalableTargetARN": arn, "CreationTime": time.time()})
        bounds = {name: int(properties[name]) for name in ("MinCapacity", "MaxCapacity") if name in properties}
        self._targets[name] = {**known, **{key: properties[key] for key in TARGET_KEYS}, **bounds}
        return name, {"Id": name, "ScalableTargetARN": self._targets[name]["ScalableTargetARN"]}

    def put_policy(self, properties: Properties, *, arn: str = "") -> Created:
        policy = dict(properties)
        if policy.get("ScalingTargetId"):
            resource, dimension, namespace = policy.pop("ScalingTargetId").split("|")
            policy.update(ResourceId=resource, ScalableDimension=dimension, ServiceNamespace=namespace)
        account, region = responses.get_account_id(), responses.get_region()
        arn = arn or (
            f"arn:aws:autoscaling:{region}:{account}:scalingPolicy:{uuid.uuid4()}:"
            f"resource/{policy['ServiceNamespace']}/{policy['ResourceId']}:policyName/{policy['PolicyName']}"
        )
        self._policies[arn] = {**policy, "PolicyARN": arn, "CreationTime": time.time()}
        return arn, {"Arn": arn}

    def knows(self, action: str) -> bool:
        return action in self._policies

    def run(self, arn: str, *, metric: float, threshold: float, alarm: str) -> None:
        """What an alarm's scaling action does: called at every evaluation the alarm is in ALARM."""
        policy = self._policies[arn]
        if policy["PolicyType"] != "StepScaling":
            return
        target = self._targets[_target_id(policy)]
        _, cluster, name = target["ResourceId"].split("/")
        service = ecs._services.get(f"{cluster}/{name}")
        if service is None:
            return
        steps = StepPolicy.from_template(policy["StepScalingPolicyConfiguration"])
        with self._lock:
            now, current = time.time(), service["desiredCount"]
            outcome = scale_by_steps(
                steps,
                difference=metric - threshold,
                current=current,
                bounds=Bounds(target["MinCapacity"], target["MaxCapacity"]),
                moment=now,
                cooldown=self._clock.wait(steps.cooldown),
                last=self._last.get(_target_id(policy)),
            )
            wanted = outcome.capacity
            deploying = any(item.get("rolloutState") == "IN_PROGRESS" for item in service["deployments"])
            # As in ECS: nothing scales in while a deployment runs.
            if outcome.activity is None or (wanted < current and deploying):
                return
            self._last[_target_id(policy)] = outcome.activity
            self._activities.insert(0, _activity(target, policy, alarm=alarm, wanted=wanted))
        logger.warning("%s: %s -> %s (%s is %s)", name, current, wanted, alarm, metric)
        ecs._update_service({"cluster": cluster, "service": name, "desiredCount": wanted})

    async def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes, query: object) -> Any:
        """The API, as far as it is described here."""
        del method, path, query
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        request = json.loads(body or b"{}")
        match action:
            case "DescribeScalableTargets":
                return responses.json_response({"ScalableTargets": _matching(self._targets.values(), request)})
            case "DescribeScalingPolicies":
                return responses.json_response({"ScalingPolicies": _matching(self._policies.values(), request)})
            case "DescribeScalingActivities":
                return responses.json_response({"ScalingActivities": _matching(self._activities, request)})
            case "RegisterScalableTarget":
                _, attributes = self.register(request)
                return responses.json_response({"ScalableTargetARN": attributes["ScalableTargetARN"]})
            case "PutScalingPolicy":
                arn, _ = self.put_policy(request)
                return responses.json_response({"PolicyARN": arn, "Alarms": []})
            case _:
                return responses.error_response_json("InvalidAction", f"{action} is not available locally.", 400)


def _target_id(properties: Properties) -> str:
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


def _activity(target: Properties, policy: Properties, *, alarm: str, wanted: int) -> dict[str, Any]:
    now = time.time()
    return {
        "ActivityId": str(uuid.uuid4()),
        **{key: target[key] for key in TARGET_KEYS},
        "Description": f"Setting desired count to {wanted}.",
        "Cause": f"monitor alarm {alarm} in state ALARM triggered policy {policy['PolicyName']}",
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "Successful",
        "StatusMessage": f"Successfully set desired count to {wanted}.",
    }
