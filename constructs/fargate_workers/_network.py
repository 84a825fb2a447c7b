"""The network of a cluster which brings none: three kinds, all with flow logs and free gateways to S3 and DynamoDB."""

from collections.abc import Mapping, Sequence
from typing import Literal

from aws_cdk import Fn, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from fargate_workers._acknowledge import COMPLIANCE_PACKS, acknowledge
from fargate_workers._service_role import allow, service_role

Network = Literal["nat", "endpoints", "public"]

CIDR = "10.0.0.0/16"

_PUBLIC = ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False)
_SUBNETS: Mapping[Network, Sequence[ec2.SubnetConfiguration]] = {
    "nat": (
        _PUBLIC,
        ec2.SubnetConfiguration(name="Private", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
    ),
    "endpoints": (ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),),
    "public": (_PUBLIC,),
}
TASK_SUBNETS: Mapping[Network, ec2.SubnetType] = {
    "nat": ec2.SubnetType.PRIVATE_WITH_EGRESS,
    "endpoints": ec2.SubnetType.PRIVATE_ISOLATED,
    "public": ec2.SubnetType.PUBLIC,
}


def new_vpc(
    scope: Construct, network: Network, *, availability_zones: Sequence[str] | None, nat_gateways: int
) -> ec2.Vpc:
    """A network of `network`'s kind; `availability_zones` None means the region's first two, known at deployment."""
    vpc = ec2.Vpc(
        scope,
        "Vpc",
        ip_addresses=ec2.IpAddresses.cidr(CIDR),
        availability_zones=_first_two_zones() if availability_zones is None else list(availability_zones),
        subnet_configuration=list(_SUBNETS[network]),
        nat_gateways=nat_gateways,
        gateway_endpoints={
            "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
            "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
        },
        # Closing the default security group would take a custom-resource Lambda function.
        restrict_default_security_group=False,
    )
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
    """Record who talks to whom, in a log group of its own."""
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


def _first_two_zones() -> list[str]:
    zones = Fn.get_azs()
    return [Fn.select(0, zones), Fn.select(1, zones)]
