"""Where tasks run: three kinds of network, and what the cluster's tasks share."""

import json
from typing import Any

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from fargate_workers.cluster.availability_zones import set_availability_zones
from fargate_workers.cluster.worker_cluster import WorkerCluster
from tests.doubles.stack_facts import Facts, synthesize


def endpoints(stack: Stack) -> None:
    cluster = WorkerCluster(
        stack, "Cluster", network="endpoints", log_encryption_key=kms.Key(stack, "Key"), container_insights=False
    )
    cluster.add_endpoint("secretsmanager")
    cluster.add_endpoint("secretsmanager")
    assert list(cluster.endpoints) == ["ecr.api", "ecr.dkr", "logs", "sqs", "secretsmanager"]


def public(stack: Stack) -> None:
    cluster = WorkerCluster(
        stack,
        "Cluster",
        network="public",
        availability_zones=["eu-west-1b", "eu-west-1c"],
        log_retention=logs.RetentionDays.ONE_WEEK,
    )
    assert cluster.assign_public_ip
    assert len(cluster.subnet_ids) == 2


def yours(stack: Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["eu-west-1a"],
        isolated_subnet_ids=["subnet-1"],
    )
    cluster = WorkerCluster(stack, "Cluster", network="endpoints", vpc=vpc)
    cluster.add_endpoint("secretsmanager")
    assert cluster.subnet_ids == ["subnet-1"]
    assert not cluster.assign_public_ip


def protecting(stack: Stack) -> None:
    _ = WorkerCluster(stack, "Cluster", network="nat").task_protection


@pytest.fixture(scope="module")
def stacks() -> dict[str, Facts]:
    return synthesize(
        {
            "nat": lambda stack: WorkerCluster(stack, "Cluster", network="nat"),
            "two-gateways": lambda stack: WorkerCluster(stack, "Cluster", network="nat", nat_gateways=2),
            "endpoints": endpoints,
            "public": public,
            "yours": yours,
            "protecting": protecting,
        }
    )


def routes_to(facts: Facts, target: str) -> int:
    return sum(target in route for route in facts.all("EC2::Route"))


def gateways(facts: Facts) -> list[str]:
    found = [each for each in facts.all("EC2::VPCEndpoint") if each["VpcEndpointType"] == "Gateway"]
    return sorted(json.dumps(each["ServiceName"]).rsplit(".", 1)[-1].split('"')[0] for each in found)


def test_a_nat_network_has_one_gateway_unless_more_are_asked_for(stacks: dict[str, Facts]) -> None:
    assert stacks["nat"].count("EC2::NatGateway") == 1
    assert stacks["two-gateways"].count("EC2::NatGateway") == 2
    assert routes_to(stacks["nat"], "NatGatewayId") == 2


def test_an_endpoints_network_has_no_way_to_the_internet(stacks: dict[str, Facts]) -> None:
    facts = stacks["endpoints"]
    for kind in ("InternetGateway", "NatGateway", "Route", "EIP"):
        assert facts.count(f"EC2::{kind}") == 0
    assert facts.count("EC2::Subnet") == 2


def test_an_endpoints_network_reaches_what_a_worker_needs_by_private_names(stacks: dict[str, Facts]) -> None:
    found = [each for each in stacks["endpoints"].all("EC2::VPCEndpoint") if each["VpcEndpointType"] == "Interface"]
    services = {each["ServiceName"]["Fn::Join"][1][-1] for each in found}
    assert services == {".ecr.api", ".ecr.dkr", ".logs", ".sqs", ".secretsmanager"}
    for each in found:
        assert each["PrivateDnsEnabled"] is True
        assert len(each["SubnetIds"]) == 2
        assert len(each["SecurityGroupIds"]) == 1


def test_endpoints_take_https_from_the_network_and_nothing_else(stacks: dict[str, Facts]) -> None:
    (rule,) = stacks["endpoints"].only("EC2::SecurityGroup")["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("10.0.0.0/16", 443, 443)


def test_a_public_network_pays_for_no_gateway_and_hands_out_addresses_only_to_tasks(stacks: dict[str, Facts]) -> None:
    facts = stacks["public"]
    assert facts.count("EC2::NatGateway") == 0
    assert [subnet["MapPublicIpOnLaunch"] for subnet in facts.all("EC2::Subnet")] == [False, False]


@pytest.mark.parametrize("name", ["nat", "endpoints", "public"])
def test_every_new_network_reaches_s3_and_dynamodb_for_free(stacks: dict[str, Facts], name: str) -> None:
    assert gateways(stacks[name]) == ["dynamodb", "s3"]


@pytest.mark.parametrize("name", ["nat", "endpoints", "public"])
def test_every_new_network_is_10_0_0_0_and_logs_its_traffic(stacks: dict[str, Facts], name: str) -> None:
    facts = stacks[name]
    assert facts.only("EC2::VPC")["CidrBlock"] == "10.0.0.0/16"
    flow_log = facts.only("EC2::FlowLog")
    assert flow_log["TrafficType"] == "ALL"
    assert flow_log["ResourceId"] == {"Ref": facts.id_of("EC2::VPC")}
    assert flow_log["LogGroupName"] == {"Ref": facts.id_of("Logs::LogGroup")}


def test_flow_logs_may_write_into_their_own_group_only(stacks: dict[str, Facts]) -> None:
    facts = stacks["nat"]
    (statement,) = facts.statements()
    assert statement["Resource"] == [{"Fn::GetAtt": [facts.id_of("Logs::LogGroup"), "Arn"]}]


def test_zones_are_found_at_deployment_or_named(stacks: dict[str, Facts]) -> None:
    assert {json.dumps(subnet["AvailabilityZone"]) for subnet in stacks["nat"].all("EC2::Subnet")} == {
        '{"Fn::Select": [0, {"Fn::GetAZs": ""}]}',
        '{"Fn::Select": [1, {"Fn::GetAZs": ""}]}',
    }
    named = [subnet["AvailabilityZone"] for subnet in stacks["public"].all("EC2::Subnet")]
    assert named == ["eu-west-1b", "eu-west-1c"]


def test_a_network_of_yours_is_used_as_it_is(stacks: dict[str, Facts]) -> None:
    assert {found["Type"] for found in stacks["yours"].resources.values()} == {
        "AWS::ECS::Cluster",
        "AWS::ECS::ClusterCapacityProviderAssociations",
    }


def test_tasks_may_run_on_demand_and_on_spot(stacks: dict[str, Facts]) -> None:
    providers = stacks["nat"].only("ECS::ClusterCapacityProviderAssociations")["CapacityProviders"]
    assert providers == ["FARGATE", "FARGATE_SPOT"]


def test_container_insights_are_on_unless_switched_off(stacks: dict[str, Facts]) -> None:
    setting = {"Name": "containerInsights", "Value": "enabled"}
    assert stacks["nat"].only("ECS::Cluster")["ClusterSettings"] == [setting]
    assert stacks["endpoints"].only("ECS::Cluster")["ClusterSettings"] == [{**setting, "Value": "disabled"}]


def test_logs_are_kept_for_a_month_and_go_with_the_stack(stacks: dict[str, Facts]) -> None:
    (group,) = stacks["nat"].whole("Logs::LogGroup")
    assert group["Properties"]["RetentionInDays"] == 30
    assert group["DeletionPolicy"] == "Delete"
    assert stacks["public"].only("Logs::LogGroup")["RetentionInDays"] == 7


def test_a_log_key_encrypts_the_logs_and_lets_cloudwatch_logs_use_it_once(stacks: dict[str, Facts]) -> None:
    facts = stacks["endpoints"]
    assert facts.only("Logs::LogGroup")["KmsKeyId"] == {"Fn::GetAtt": [facts.id_of("KMS::Key"), "Arn"]}
    statements: list[Any] = facts.only("KMS::Key")["KeyPolicy"]["Statement"]
    (allowed,) = [each for each in statements if "Service" in each["Principal"]]
    assert "kms:EncryptionContext:aws:logs:arn" in allowed["Condition"]["ArnLike"]


def test_a_task_may_protect_tasks_of_its_own_cluster_only(stacks: dict[str, Facts]) -> None:
    facts = stacks["protecting"]
    (statement,) = [each for each in facts.statements() if "ecs:UpdateTaskProtection" in each["Action"]]
    assert {"Ref": facts.id_of("ECS::Cluster")} in statement["Resource"]["Fn::Join"][1]
    assert statement["Action"] == ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"network": "natt"}, "network is 'natt'; use one of nat, endpoints, public"),
        ({"network": "nat", "nat_gateways": 0}, "nat_gateways is 0"),
    ],
)
def test_a_network_that_cannot_be_is_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        WorkerCluster(Stack(), "Cluster", **options)


def test_zones_for_a_network_of_yours_are_refused() -> None:
    stack = Stack()
    with pytest.raises(ValueError, match="leave them out when you give a vpc"):
        WorkerCluster(stack, "Cluster", network="nat", vpc=ec2.Vpc(stack, "Vpc"), availability_zones=["eu-west-1a"])


def test_zones_told_in_advance_leave_nothing_to_look_up() -> None:
    app = App()
    account, region = "111111111111", "eu-west-1"
    set_availability_zones(app, ["eu-west-1a", "eu-west-1b"], account=account, region=region)
    stack = Stack(app, "Stack", env=Environment(account=account, region=region))
    WorkerCluster(stack, "Cluster", network="public", availability_zones=["eu-west-1a", "eu-west-1b"])
    assert stack.availability_zones == ["eu-west-1a", "eu-west-1b"]


def test_in_china_endpoints_and_services_have_their_own_names() -> None:
    stack = Stack(App(), "China", env=Environment(account="240615730189", region="cn-north-1"))
    key = kms.Key(stack, "Key")
    WorkerCluster(stack, "Cluster", network="endpoints", log_encryption_key=key)
    template = Template.from_stack(stack)

    names = {
        each["Properties"]["ServiceName"]
        for each in template.find_resources("AWS::EC2::VPCEndpoint").values()
        if each["Properties"].get("VpcEndpointType") == "Interface"
    }
    assert names == {
        "cn.com.amazonaws.cn-north-1.ecr.api",
        "cn.com.amazonaws.cn-north-1.ecr.dkr",
        "cn.com.amazonaws.cn-north-1.sqs",
        "com.amazonaws.cn-north-1.logs",
    }
    assert "AWS::URLSuffix" in str(template.find_resources("AWS::KMS::Key"))


def test_six_zones_at_most_have_their_place() -> None:
    stack = Stack(App(), "Many")
    zones = [f"eu-west-1{letter}" for letter in "abcdefg"]

    with pytest.raises(ValueError, match=r"^Cluster: availability_zones names 7; name 1 to 6\.$"):
        WorkerCluster(stack, "Cluster", network="endpoints", availability_zones=zones)
