"""CloudFormation types and details that MiniStack lacks."""

from collections.abc import Callable, Mapping
from typing import Any

from fargate_workers_toolkit.local.emulator.ministack_parts import (
    cloudwatch,
    ec2,
    ecs,
    provisioners,
    scheduler,
    secretsmanager,
)

Properties = Mapping[str, Any]
Created = tuple[str, dict[str, Any]]

# Accepted and remembered: nothing on loopback acts on them, and the reason why is theirs to give.
WITHOUT_LOCAL_EFFECT = {
    "AWS::CloudWatch::AlarmMuteRule": "windows that come again and again mute nothing here",
    "AWS::EC2::FlowLog": "there is no network whose flows could be logged",
    "AWS::EC2::NetworkAcl": "there is no network to filter",
    "AWS::EC2::NetworkAclEntry": "there is no network to filter",
    "AWS::EC2::SecurityGroupEgress": "there is no network to filter",
    "AWS::EC2::SecurityGroupIngress": "there is no network to filter",
    "AWS::EC2::SubnetNetworkAclAssociation": "there is no network to filter",
    "AWS::EC2::VPCEndpointService": "every service is on loopback already",
    "AWS::SecretsManager::RotationSchedule": "secrets do not grow old in one run",
    "AWS::SNS::TopicInlinePolicy": "IAM is not enforced",
    "AWS::SQS::QueueInlinePolicy": "IAM is not enforced",
}


def install() -> None:
    """Add the types, and correct what CloudFormation's own form needs."""
    handlers = provisioners._RESOURCE_HANDLERS
    for name in WITHOUT_LOCAL_EFFECT:
        handlers[name] = _type(_remember)
    handlers["AWS::EC2::EIP"] = _type(_create_address, _delete_address)
    handlers["AWS::EC2::NatGateway"] = _type(_create_nat_gateway, lambda name, _: ec2._nat_gateways.pop(name, None))
    handlers["AWS::ECS::ClusterCapacityProviderAssociations"] = _type(_associate_capacity_providers)
    handlers["AWS::CloudWatch::CompositeAlarm"] = _type(
        _put_composite_alarm, lambda name, _: cloudwatch._composite_alarms.pop(name, None)
    )
    handlers["AWS::CloudWatch::Alarm"] = _with_metric_math(handlers["AWS::CloudWatch::Alarm"])
    handlers["AWS::EC2::VPC"] = _with_attributes(
        handlers["AWS::EC2::VPC"], lambda properties: {"CidrBlock": properties.get("CidrBlock", "10.0.0.0/16")}
    )
    handlers["AWS::Scheduler::Schedule"] = _with_letters_of_apis(
        _with_timezone(handlers["AWS::Scheduler::Schedule"]),
        lambda properties: {**properties, "Target": _target_of_apis(properties["Target"])},
    )
    handlers["AWS::Events::Rule"] = _with_letters_of_apis(
        handlers["AWS::Events::Rule"],
        lambda properties: {**properties, "Targets": list(map(_target_of_apis, properties.get("Targets", [])))},
    )
    provisioners._normalize_container_defs = _container_definitions(provisioners._normalize_container_defs)


def _type(create: Callable[..., Created], delete: Callable[[str, Properties], object] | None = None) -> dict[str, Any]:
    """A handler; an update creates again, which every `create` here allows."""

    def update(id: str, _: Properties, new: Properties, stack: str, logical_id: str | None = None) -> Created:
        return create(logical_id or id, new, stack)

    return {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": delete or _forget,
    }


def _forget(_id: str, _properties: Properties) -> None:
    """There is nothing to undo."""


def _remember(logical_id: str, _: Properties, stack: str) -> Created:
    name = provisioners._physical_name(stack, logical_id)
    return name, {"Id": name, "Arn": name}


def _create_address(_logical_id: str, _: Properties, _stack: str) -> Created:
    ec2._allocate_address({"Domain": ["vpc"]})
    allocation, address = list(ec2._addresses.items())[-1]
    return address["PublicIp"], {"AllocationId": allocation, "PublicIp": address["PublicIp"]}


def _delete_address(ip: str, _: Properties) -> None:
    for allocation, address in list(ec2._addresses.items()):
        if address["PublicIp"] == ip:
            ec2._addresses.pop(allocation, None)


def _create_nat_gateway(_logical_id: str, properties: Properties, _stack: str) -> Created:
    ec2._create_nat_gateway(
        {"SubnetId": [properties["SubnetId"]], "AllocationId": [properties.get("AllocationId", "")]}
    )
    name = list(ec2._nat_gateways)[-1]
    return name, {"NatGatewayId": name}


def _associate_capacity_providers(_logical_id: str, properties: Properties, _stack: str) -> Created:
    ecs._put_cluster_capacity_providers(
        {
            "cluster": properties["Cluster"],
            "capacityProviders": properties.get("CapacityProviders", []),
            "defaultCapacityProviderStrategy": provisioners._pascal_to_camel(
                properties.get("DefaultCapacityProviderStrategy") or []
            ),
        }
    )
    return properties["Cluster"], {}


def _put_composite_alarm(logical_id: str, properties: Properties, stack: str) -> Created:
    name = properties.get("AlarmName") or provisioners._physical_name(stack, logical_id)
    cloudwatch._put_composite_alarm({}, {**properties, "AlarmName": name}, False, True)
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}


def _with_metric_math(handler: Mapping[str, Any]) -> dict[str, Any]:
    """Alarms on `Metrics`, which MiniStack refuses: stored under a stand-in metric, then given their own."""

    def stand_in(properties: Properties) -> dict[str, Any]:
        plain = {name: value for name, value in properties.items() if name != "Metrics"}
        return {**plain, "Namespace": "-", "MetricName": "-"}

    def keep(created: Created, properties: Properties) -> Created:
        alarm = cloudwatch._alarms[created[0]]
        for name in ("Namespace", "MetricName", "Statistic", "ExtendedStatistic", "Dimensions", "Unit"):
            alarm.pop(name, None)
        alarm["Metrics"] = properties["Metrics"]
        return created

    def create(logical_id: str, properties: Properties, stack: str) -> Created:
        if "Metrics" not in properties:
            return handler["create"](logical_id, properties, stack)
        return keep(handler["create"](logical_id, stand_in(properties), stack), properties)

    def update(id: str, _: Properties, new: Properties, stack: str, logical_id: str | None = None) -> Created:
        return create(logical_id or id, {**new, "AlarmName": new.get("AlarmName", id)}, stack)

    return {**handler, "create": create, "update": update, "update_with_logical_id": True}


def _with_attributes(handler: Mapping[str, Any], extra: Callable[[Properties], dict[str, Any]]) -> dict[str, Any]:
    def create(logical_id: str, properties: Properties, stack: str) -> Created:
        name, attributes = handler["create"](logical_id, properties, stack)
        return name, {**attributes, **extra(properties)}

    return {**handler, "create": create}


def _with_timezone(handler: Mapping[str, Any]) -> dict[str, Any]:
    """MiniStack drops a schedule's timezone."""

    def create(logical_id: str, properties: Properties, stack: str) -> Created:
        name, attributes = handler["create"](logical_id, properties, stack)
        schedule = scheduler._schedules[f"{properties.get('GroupName', 'default')}/{name}"]
        schedule["ScheduleExpressionTimezone"] = properties.get("ScheduleExpressionTimezone", "UTC")
        return name, attributes

    return {**handler, "create": create}


def _with_letters_of_apis(handler: Mapping[str, Any], changed: Callable[[Properties], Properties]) -> dict[str, Any]:
    """A handler whose properties are changed first: what MiniStack keeps, it answers as it is."""

    def create(logical_id: str, properties: Properties, stack: str) -> Created:
        return handler["create"](logical_id, changed(properties), stack)

    def update(id: str, old: Properties, new: Properties, *rest: Any, **named: Any) -> Created:
        return handler["update"](id, changed(old), changed(new), *rest, **named)

    return {**handler, "create": create, "update": update}


def _target_of_apis(target: Properties) -> Properties:
    """A target as the APIs of rules and schedules answer it: these few names begin with a small letter there.

    https://docs.aws.amazon.com/scheduler/latest/APIReference/API_EcsParameters.html
    """
    parameters: Properties = target.get("EcsParameters") or {}
    if not parameters:
        return target
    changed = dict(parameters)
    if strategy := parameters.get("CapacityProviderStrategy"):
        changed["CapacityProviderStrategy"] = provisioners._pascal_to_camel(strategy)
    if network := parameters.get("NetworkConfiguration"):
        (inner,) = network.values()
        changed["NetworkConfiguration"] = {"awsvpcConfiguration": inner}
    return {**target, "EcsParameters": changed}


NESTED_PROPERTIES = ("dependsOn", "healthCheck", "linuxParameters", "restartPolicy", "secrets", "ulimits")


def _container_definitions(normalize: Callable[[Any], list[dict[str, Any]]]) -> Callable[[Any], list[dict[str, Any]]]:
    """MiniStack keeps nested properties in PascalCase, so secrets and health checks are silently lost."""

    def normalized(definitions: Any) -> list[dict[str, Any]]:
        result = normalize(definitions)
        for definition in result:
            for name in NESTED_PROPERTIES:
                if name in definition:
                    definition[name] = provisioners._pascal_to_camel(definition[name])
            secrets: list[dict[str, str]] = definition.get("secrets") or []
            for secret in secrets:
                known = secretsmanager._secrets.get(secret["valueFrom"])
                secret["valueFrom"] = known["ARN"] if known else secret["valueFrom"]
        return result

    return normalized
