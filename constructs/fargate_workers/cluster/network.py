"""The network of a cluster which brings none: three kinds, all with flow logs and free gateways to S3 and DynamoDB."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal, cast

from aws_cdk import CfnResource, Fn, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from fargate_workers.cloudformation import allow, service_role
from fargate_workers.compliance import COMPLIANCE_PACKS, acknowledge

Network = Literal["nat", "endpoints", "public"]

CIDR = "10.0.0.0/16"
# Every subnet has its place from the start, whichever zones are used: a further zone moves none of them, which AWS
# would refuse. More than half of the addresses stay free.
MOST_ZONES = 6
_ROOM_FOR_TASKS, _ROOM_FOR_GATEWAYS = 20, 24  # 4,091 and 251 addresses in each zone


def _public(cidr_mask: int) -> ec2.SubnetConfiguration:
    return ec2.SubnetConfiguration(
        name="Public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False, cidr_mask=cidr_mask
    )


def _private(name: str, subnet_type: ec2.SubnetType) -> ec2.SubnetConfiguration:
    return ec2.SubnetConfiguration(name=name, subnet_type=subnet_type, cidr_mask=_ROOM_FOR_TASKS)


_SUBNETS: Mapping[Network, Sequence[ec2.SubnetConfiguration]] = {
    "nat": (_public(_ROOM_FOR_GATEWAYS), _private("Private", ec2.SubnetType.PRIVATE_WITH_EGRESS)),
    "endpoints": (_private("Isolated", ec2.SubnetType.PRIVATE_ISOLATED),),
    "public": (_public(_ROOM_FOR_TASKS),),
}
TASK_SUBNETS: Mapping[Network, ec2.SubnetType] = {
    "nat": ec2.SubnetType.PRIVATE_WITH_EGRESS,
    "endpoints": ec2.SubnetType.PRIVATE_ISOLATED,
    "public": ec2.SubnetType.PUBLIC,
}


def new_vpc(
    scope: Construct,
    network: Network,
    *,
    availability_zones: Sequence[str] | None,
    nat_gateways: int,
    removal_policy: RemovalPolicy,
) -> ec2.Vpc:
    """A network of `network`'s kind; `availability_zones` None means the region's first two, known at deployment."""
    zones = _first_two_zones() if availability_zones is None else list(availability_zones)
    vpc = ec2.Vpc(
        scope,
        "Vpc",
        ip_addresses=ec2.IpAddresses.cidr(CIDR),  # each network its own, for it counts what it gave away
        availability_zones=zones,
        reserved_azs=MOST_ZONES - len(zones),
        subnet_configuration=list(_SUBNETS[network]),
        nat_gateways=nat_gateways,
        gateway_endpoints=_gateways(),
        # Closing the default security group would take a custom-resource Lambda function.
        restrict_default_security_group=False,
    )
    if removal_policy != RemovalPolicy.DESTROY:
        for kept in (vpc, *vpc.public_subnets, *vpc.private_subnets, *vpc.isolated_subnets):
            cast("CfnResource", kept.node.default_child).apply_removal_policy(removal_policy)
    acknowledge(vpc, _findings(network))
    return vpc


def _findings(network: Network) -> dict[str, str]:
    """What the rule packs hold against any network made here, and against one with a way to the internet."""
    closed = "CloudFormation cannot change the default security group, and nothing in this network is a member of it."
    findings = {f"{pack}-VPCDefaultSecurityGroupClosed": closed for pack in COMPLIANCE_PACKS}
    if network != "endpoints":
        route = f'network="{network}" was chosen, which needs this route; no security group lets anything in by it.'
        findings |= {f"{pack}-VPCNoUnrestrictedRouteToIGW": route for pack in COMPLIANCE_PACKS}
    return findings


def add_flow_log(
    scope: Construct,
    vpc: ec2.Vpc,
    *,
    encryption_key: kms.IKey | None,
    retention: logs.RetentionDays,
    removal_policy: RemovalPolicy,
) -> ec2.CfnFlowLog:
    """Record the network's connections, in a log group of their own."""
    parts = Construct(scope, "FlowLog")
    group = logs.LogGroup(
        parts, "Logs", encryption_key=encryption_key, retention=retention, removal_policy=removal_policy
    )
    writing = allow(["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"], group.log_group_arn)
    return ec2.CfnFlowLog(
        parts,
        "FlowLog",
        resource_id=vpc,
        resource_type="VPC",
        traffic_type="ALL",
        log_destination_type="cloud-watch-logs",
        log_group_name=group,
        deliver_logs_permission_arn=service_role(parts, "vpc-flow-logs.amazonaws.com", [writing]).role,
    )


@cache
def https() -> ec2.Port:
    """The port of HTTPS."""
    return ec2.Port.tcp(443)


@cache
def inside() -> ec2.IPeer:
    """Every address of a network made here."""
    return ec2.Peer.ipv4(CIDR)


@cache
def _gateways() -> dict[str, ec2.GatewayVpcEndpointOptions]:
    return {
        "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
        "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
    }


def _first_two_zones() -> list[str]:
    zones = Fn.get_azs()
    return [Fn.select(0, zones), Fn.select(1, zones)]
